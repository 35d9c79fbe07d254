/** What carrying a job's data was reckoned to take, as its receipt tells it. */
export interface Told {
  /** `script`: as its script says, or as the site assumes where that says no size; `earlier`: as jobs of that user and name did. */
  readonly from: 'script' | 'earlier';
  /** Earlier jobs that tell; of a script 0. */
  readonly jobs: number;
  /** Before its first line. */
  readonly in: ToldLeg;
  /** After its last, while its machine is held. */
  readonly out: ToldLeg;
}

export interface ToldLeg {
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  /** From so many of this site's own transfers; 0: by the configured bandwidths. */
  readonly measured: number;
}
