import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

/** Where `vite dev` sends what it does not serve itself; `telemed serve` listens here by default. */
const server = process.env.TELEMED_ORIGIN ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": fileURLToPath(new URL(".", import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
  worker: { format: "es" },
  build: {
    outDir: "../static",
    emptyOutDir: true,
    // Nothing is inlined as a data: URL: the Content-Security-Policy allows 'self' only.
    assetsInlineLimit: 0,
    target: "es2022",
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: {
      "/api": { target: server, ws: true },
      "/dicom-web": { target: server },
    },
  },
  // Patience for a slow machine; nothing here measures speed.
  test: { environment: "jsdom", include: ["**/*.test.ts"], exclude: ["node_modules/**"], testTimeout: 120_000, hookTimeout: 120_000 },
});
