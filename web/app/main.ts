import "@fontsource-variable/noto-sans-sc";
import "element-plus/dist/index.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "@/ui/theme.css";
import { createApp } from "vue";
import App from "@/App.vue";
import { i18n } from "@/locales";
import { router } from "@/router";

createApp(App).use(i18n).use(router).mount("#app");
