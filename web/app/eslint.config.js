import vue from "eslint-plugin-vue";
import typescript from "typescript-eslint";

export default typescript.config(
  { ignores: ["node_modules/**", "api/schema.d.ts"] },
  ...typescript.configs.strict,
  ...vue.configs["flat/essential"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: typescript.parser } },
  },
  {
    rules: {
      // vue-tsc knows which names exist; ESLint would need every browser global listed again.
      "no-undef": "off",
      eqeqeq: "error",
      "vue/block-lang": ["error", { script: { lang: "ts" } }],
      // A non-null assertion in pixel and sample loops states what the loop's bounds already prove.
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
);
