import type { ComponentProps } from 'react';
import { go } from '../address.ts';

/** A link of the page's own: a plain click stays in the page, any other is the browser's. */
export function Link({ href, onClick, ...rest }: ComponentProps<'a'> & { readonly href: string }) {
  return (
    <a
      href={href}
      {...rest}
      onClick={(event) => {
        onClick?.(event);
        const plain =
          event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
        if (!plain || event.defaultPrevented) return;
        event.preventDefault();
        go(href);
      }}
    />
  );
}

export const JobLink = ({ job }: { readonly job: string }) => <Link href={`/jobs/${job}`}>{job}</Link>;
