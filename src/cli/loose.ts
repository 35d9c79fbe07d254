/** Answers of a newer gateway: version 1 of the API only grows, by fields and by words, and neither may break who reads it. */
import { z } from 'zod';

/** A view as it is read here: where the API has one of some words there may be another, which is shown as it is. */
export type Loose<T> = T extends string
  ? string
  : T extends readonly unknown[] | object
    ? { [K in keyof T]: Loose<T[K]> }
    : T;

/** The same view with every object open to more fields, which are kept, and every word to another. What it promises must still be there. */
export function looseOf<T extends z.ZodType>(view: T): z.ZodType<Loose<z.output<T>>> {
  return opened(view) as z.ZodType<Loose<z.output<T>>>;
}

function opened(view: z.core.$ZodType): z.core.$ZodType {
  if (view instanceof z.ZodObject)
    return z.looseObject(
      Object.fromEntries(Object.entries<z.core.$ZodType>(view.shape).map(([key, of]) => [key, opened(of)])),
    );
  if (view instanceof z.ZodArray) return z.array(opened(view.element));
  if (view instanceof z.ZodRecord) return z.record(z.string(), opened(view.valueType));
  if (view instanceof z.ZodOptional) return z.optional(opened(view.unwrap()));
  if (view instanceof z.ZodReadonly) return z.readonly(opened(view.unwrap()));
  if (view instanceof z.ZodUnion) return z.union(view.options.map(opened));
  if (view instanceof z.ZodEnum) return z.string();
  if (view instanceof z.ZodLiteral && [...view.values].every((word) => typeof word === 'string'))
    return z.string();
  return view;
}
