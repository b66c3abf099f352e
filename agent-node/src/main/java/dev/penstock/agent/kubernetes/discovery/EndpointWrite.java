package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.ObjectRef;

/// What is to be done with one `TunnelEndpoint`.
public sealed interface EndpointWrite {
  ObjectRef ref();

  /// It is to be made. Its status follows when it is there.
  ///
  /// @param object all of it. Not to be changed
  record Create(ObjectRef ref, ObjectNode object) implements EndpointWrite {}

  /// Metadata and spec are to be replaced, over this resource version only.
  ///
  /// @param object all of it but the status. Not to be changed
  record Replace(ObjectRef ref, String resourceVersion, ObjectNode object)
      implements EndpointWrite {}

  /// Its status is to be replaced, over this resource version only.
  ///
  /// @param status all of it. Not to be changed
  record Status(ObjectRef ref, String resourceVersion, ObjectNode status)
      implements EndpointWrite {}

  /// It is to be deleted, if it is still the one with this uid.
  record Delete(ObjectRef ref, String uid) implements EndpointWrite {}
}
