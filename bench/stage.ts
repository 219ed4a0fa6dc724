/** One part of the way of a query, done `count` times over; the number that it returns keeps it from being optimised away. */
export interface Stage {
  readonly name: string;
  readonly run: (count: number) => number;
}
