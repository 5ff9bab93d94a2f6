/** Is told what happens in the background. `console` is one. */
export type Log = {
  debug(text: string): void;
  warn(text: string): void;
  error(text: string): void;
};

export const silent: Log = { debug: () => {}, warn: () => {}, error: () => {} };
