import type { Detected, Thresholds } from '../../detect/patterns/kinds.ts';
import type { Kind } from '../../outbox/event.ts';
import type { FeedSetting } from '../../outbox/feed-setting.ts';
import type { Snapshot } from '../../policy/snapshot.ts';
import type { Settings } from '../../settings/settings.ts';

/** What the worker is told of the settings and the policy. */
export function settingOf(settings: Settings, { identities }: Snapshot): FeedSetting {
  const { alerts, detect, history } = settings;
  const { isDurable, decisions, findings, full, sinks } = alerts;
  return {
    store: { isDurable, decisions, findings, full },
    sinks,
    history,
    kinds: takenOf(settings),
    decided: [...new Set([...takenOf(settings), ...heardOf(settings)])],
    // The server file's reading made it from the table of kinds.
    detect: { limits: detect as unknown as Thresholds, identities: termsOf(identities) },
  };
}

/** Most identities say nothing to detectors. */
function termsOf(identities: Snapshot['identities']): FeedSetting['detect']['identities'] {
  return identities.flatMap(({ name, search, undetected }) => {
    if (search.length === 0 && undetected === null) return [];
    return [{ name, off: (undetected?.kinds ?? []) as readonly Detected[], search }];
  });
}

/** Kinds that sinks take. */
export function takenOf({ alerts }: Settings): Kind[] {
  return [...new Set(alerts.sinks.flatMap(({ kinds }) => kinds))];
}

/** Kinds of which detectors hear each question, or of a flood a part. */
export function heardOf(settings: Settings): readonly Kind[] {
  return isLooking(settings) ? LOOKED_AT : [];
}

/** Whether any detector is on. */
export function isLooking({ detect }: Settings): boolean {
  return Object.values(detect).some((limits) => limits !== null);
}

const LOOKED_AT: readonly Kind[] = ['deny', 'would_deny'];
