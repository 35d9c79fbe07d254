/**
 * The two forms of a bill and what their columns mean. FOCUS 1.2: the specification of that name, dataset CostAndUsage. CUR 2.0: AWS's
 * "Cost and Usage Report 2.0" data dictionary.
 */
import type { Bill } from '../../src/domain/cost.ts';

export interface Form {
  readonly name: Bill['form'];
  readonly id: string;
  readonly start: string;
  readonly end: string;
  readonly currency: string;
  /** All that must be there. */
  readonly needed: readonly string[];
  /** What a line is: machine time, something else under the instance's id, or nothing that was used. */
  kindOf(of: Cells): 'machine' | 'besides' | 'none';
  /** The column that has a line's cost. */
  costOf(of: Cells): string;
}

export type Cells = (column: string) => string | undefined;

/** EC2's usage types of machine time, after the region's prefix. */
const machineTime = /(^|[-:])(BoxUsage|SpotUsage|DedicatedUsage|HostBoxUsage|SchUsage)(:|$)/;
const hourly = /^(hrs?|hours?|seconds?|secs?)$/i;

const focus: Form = {
  name: 'FOCUS',
  id: 'ResourceId',
  start: 'ChargePeriodStart',
  end: 'ChargePeriodEnd',
  currency: 'BillingCurrency',
  needed: [
    ...['ResourceId', 'ChargePeriodStart', 'ChargePeriodEnd', 'BillingCurrency'],
    ...['ChargeCategory', 'EffectiveCost'],
  ],
  kindOf: (of) => {
    // Purchases are spread over EffectiveCost; taxes and credits are no machine's use.
    if (of('ChargeCategory') !== 'Usage') return 'none';
    const usage = of('x_UsageType');
    if (usage !== undefined) return machineTime.test(usage) ? 'machine' : 'besides';
    // What says nothing of its unit is taken for machine time: so is everything under an instance's id but traffic.
    return hourly.test(of('PricingUnit') ?? 'Hours') ? 'machine' : 'besides';
  },
  costOf: () => 'EffectiveCost',
};

const cur: Form = {
  name: 'CUR 2.0',
  id: 'line_item_resource_id',
  start: 'line_item_usage_start_date',
  end: 'line_item_usage_end_date',
  currency: 'line_item_currency_code',
  needed: [
    ...['line_item_resource_id', 'line_item_usage_start_date', 'line_item_usage_end_date'],
    ...['line_item_currency_code', 'line_item_line_item_type', 'line_item_usage_type'],
    'line_item_unblended_cost',
  ],
  kindOf: (of) => {
    const kind = of('line_item_line_item_type') ?? '';
    if (!(kind in curCost)) return 'none';
    return machineTime.test(of('line_item_usage_type') ?? '') ? 'machine' : 'besides';
  },
  costOf: (of) => curCost[of('line_item_line_item_type') ?? ''] ?? 'line_item_unblended_cost',
};

/** By line item type: what of it a machine's use did cost. What is not here (tax, credit, fee, negation) is none. */
const curCost: Readonly<Record<string, string>> = {
  Usage: 'line_item_unblended_cost',
  SavingsPlanCoveredUsage: 'savings_plan_savings_plan_effective_cost',
  DiscountedUsage: 'reservation_effective_cost',
  EdpDiscount: 'line_item_unblended_cost',
  PrivateRateDiscount: 'line_item_unblended_cost',
  SppDiscount: 'line_item_unblended_cost',
  BundledDiscount: 'line_item_unblended_cost',
};

export const forms: readonly Form[] = [focus, cur];
