/** The rooms, who may enter them, and the way back after signing in. */
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { credentials } from "@/api/client";
import { forget, restore, session } from "@/api/session";
import { homeOf, mayEnter } from "@/ui/doors";
import { enterRoom } from "@/ui/title";

declare module "vue-router" {
  interface RouteMeta {
    /** Needs nobody to be signed in. */
    open?: boolean;
    /** The dark theme of the reading room. */
    dark?: boolean;
    /** Key of the room's name in the tab. */
    title?: string;
  }
}

const rounds = Object.values(import.meta.glob("./rounds/RoundsPage.vue"))[0];

const routes: RouteRecordRaw[] = [
  { path: "/login", component: () => import("@/login/LoginPage.vue"), meta: { open: true, title: "login.title" } },
  { path: "/clinic", component: () => import("@/clinic/ClinicPage.vue"), meta: { title: "common.doors.clinic" } },
  {
    path: "/clinic/studies/:studyInstanceUid",
    component: () => import("@/clinic/StudyPage.vue"),
    props: true,
    meta: { dark: true, title: "common.doors.clinic" },
  },
  {
    path: "/clinic/studies/:studyInstanceUid/consents",
    component: () => import("@/clinic/ConsentPage.vue"),
    props: true,
    meta: { title: "clinic.consent.title" },
  },
  { path: "/reading", component: () => import("@/worklist/ReadingPage.vue"), meta: { dark: true, title: "common.doors.reading" } },
  { path: "/figures", component: () => import("@/figures/FiguresPage.vue"), meta: { title: "common.doors.figures" } },
  { path: "/patients", component: () => import("@/identity/PatientsPage.vue"), meta: { title: "common.doors.patients" } },
  { path: "/admin", component: () => import("@/admin/AdminPage.vue"), meta: { title: "common.doors.admin" } },
  { path: "/schedule", component: () => import("@/schedule/SchedulePage.vue"), meta: { title: "common.doors.schedule" } },
  { path: "/:rest(.*)*", component: () => import("@/ui/NoSuchRoom.vue"), meta: { title: "common.no_such_room" } },
];
if (rounds) routes.unshift({ path: "/rounds/:id?", component: rounds, meta: { dark: true, title: "common.doors.rounds" } });

export const router = createRouter({ history: createWebHistory(), routes });

let restored = false;

router.beforeEach(async (to) => {
  if (!restored) {
    // Without the server nobody can sign in either: the sign-in page says so when asked.
    await restore().catch(() => undefined);
    restored = true;
  }
  if (to.meta.open) return true;
  if (!session.user) return { path: "/login", query: to.fullPath === "/" ? {} : { back: to.fullPath } };
  if (to.path === "/" || !mayEnter(to.path, session.user.roles)) return homeOf(session.user.roles);
  return true;
});

router.afterEach((to) => enterRoom(to.meta.title ?? ""));

credentials.onSignedOut = () => {
  forget();
  const { fullPath, meta } = router.currentRoute.value;
  if (!meta.open) void router.push({ path: "/login", query: { back: fullPath, expired: "1" } });
};
