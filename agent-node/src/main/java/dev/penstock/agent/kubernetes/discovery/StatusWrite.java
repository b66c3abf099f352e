package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.ObjectRef;

/// A status that differs from what is stored, to be written to `/status` as a whole, only over the
/// resource version that it was made from: after a conflict discovery has to look again.
///
/// @param status all of it, what others wrote included. Not to be changed
public record StatusWrite(ObjectRef ref, String uid, String resourceVersion, ObjectNode status) {}
