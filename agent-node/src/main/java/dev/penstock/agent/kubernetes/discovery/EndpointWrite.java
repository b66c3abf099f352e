package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;

/// What is to be done with one `TunnelEndpoint`.
public sealed interface EndpointWrite {
  ObjectRef ref();

  /// It is to be made. Its status follows when it is there.
  ///
  /// @param object all of it.
  record Create(ObjectRef ref, RawJson object) implements EndpointWrite {}

  /// Metadata and spec are to be replaced, over this resource version only.
  ///
  /// @param object all of it but the status.
  record Replace(ObjectRef ref, String resourceVersion, RawJson object) implements EndpointWrite {}

  /// Its status is to be replaced, over this resource version only.
  ///
  /// @param status all of it.
  record Status(ObjectRef ref, String resourceVersion, RawJson status) implements EndpointWrite {}

  /// It is to be deleted, if it is still the one with this uid.
  record Delete(ObjectRef ref, String uid) implements EndpointWrite {}
}
