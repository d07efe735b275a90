/** Which rooms of the house a role may enter, the person's own door first. */
import type { Role } from "@/api/model";

export interface Door {
  path: string;
  /** Key of the name on the door. */
  name: string;
  roles: readonly Role[];
}

export const DOORS: readonly Door[] = [
  { path: "/clinic", name: "common.doors.clinic", roles: ["clinic"] },
  { path: "/reading", name: "common.doors.reading", roles: ["radiologist", "cardiologist"] },
  { path: "/reading", name: "common.doors.queue", roles: ["coordinator"] },
  { path: "/rounds", name: "common.doors.rounds", roles: ["coordinator", "radiologist", "cardiologist", "clinic"] },
  { path: "/schedule", name: "common.doors.schedule", roles: ["coordinator", "radiologist", "cardiologist", "admin"] },
  { path: "/figures", name: "common.doors.figures", roles: ["regulator", "coordinator", "admin"] },
  { path: "/patients", name: "common.doors.patients", roles: ["coordinator", "admin"] },
  { path: "/admin", name: "common.doors.admin", roles: ["admin"] },
];

/** The order in which a role decides where `/` leads. */
const HOME: readonly [Role, string][] = [
  ["clinic", "/clinic"],
  ["radiologist", "/reading"],
  ["cardiologist", "/reading"],
  ["coordinator", "/reading"],
  ["regulator", "/figures"],
  ["admin", "/admin"],
];

/** The doors open to somebody with *roles*, each room once. */
export function doorsOf(roles: readonly Role[]): Door[] {
  const open = DOORS.filter((door) => door.roles.some((role) => roles.includes(role)));
  return open.filter((door, index) => open.findIndex((other) => other.path === door.path) === index);
}

export function homeOf(roles: readonly Role[]): string {
  return HOME.find(([role]) => roles.includes(role))?.[1] ?? "/no-door";
}

export function mayEnter(path: string, roles: readonly Role[]): boolean {
  const doors = DOORS.filter((door) => path === door.path || path.startsWith(`${door.path}/`));
  return doors.length === 0 || doors.some((door) => door.roles.some((role) => roles.includes(role)));
}
