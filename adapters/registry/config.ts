/** A registry as the configuration names it. */
export interface RegistryConfig {
  /** As it stands in images' names: `registry.example.org`, `docker.io`. */
  readonly host: string;
  /** Where its API is, if not at https://HOST. */
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}
