package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;

/// A status that differs from what is stored, to be written to `/status` as a whole, only over the
/// resource version that it was made from: after a conflict discovery has to look again.
///
/// @param status all of it, what others wrote included.
public record StatusWrite(ObjectRef ref, String uid, String resourceVersion, RawJson status) {}
