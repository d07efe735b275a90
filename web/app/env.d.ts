/// <reference types="vite/client" />


declare module "@fontsource-variable/noto-sans-sc";

/** Known to browsers, not yet to TypeScript's library: whether the ring is shown that :focus-visible draws. */
interface FocusOptions {
  focusVisible?: boolean;
}
