package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import java.util.List;

/// A tunnel with what its `TunnelEndpoint` says besides.
///
/// @param owner the Gateway or Service that it belongs to
/// @param section the listener's name, or the Service port's
/// @param direct where clients reach the owner without us
record Exposure(DesiredTunnel tunnel, KubernetesObject owner, String section, List<String> direct) {
  Exposure {
    direct = List.copyOf(direct);
  }
}
