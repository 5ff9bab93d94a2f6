/** The service cannot start. `message` is the one line for the operator: setting or folder, what is wrong, what would be right. */
export class StartupError extends Error {
  override readonly name = "StartupError";

  constructor(message: string, options?: ErrorOptions) {
    // A setting's text may have line ends of its own.
    super(message.replace(/[\r\n]+/g, " "), options);
  }
}
