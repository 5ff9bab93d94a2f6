/** The service under measurement, in a process of its own, with everything on that a user gets. */
export interface Service extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Values of the authorization header, by role. */
  readonly authorization: { readonly bot: string; readonly configStore: string };
}

/** Starts the service on its own database in the cluster. */
export async function startService(): Promise<Service> {
  throw new Error("the service cannot be started from the bench yet");
}
