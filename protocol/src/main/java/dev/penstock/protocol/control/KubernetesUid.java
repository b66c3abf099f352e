package dev.penstock.protocol.control;

import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The UID of the Kubernetes cluster that an agent runs in, which is that of its namespace
/// `kube-system`: a header of the agent's requests, an extension of the original.
public final class KubernetesUid {
  /// The header's name.
  public static final String HEADER = "Penstock-Kubernetes";

  private static final Pattern UID = Pattern.compile("[A-Za-z0-9-]{1,64}");

  private KubernetesUid() {}

  /// What the header says; empty when it is missing or no UID.
  public static Optional<String> read(@Nullable String header) {
    return Optional.ofNullable(header).filter(uid -> UID.matcher(uid).matches());
  }
}
