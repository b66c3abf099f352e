package dev.penstock.agent.kubernetes.backends;

import dev.penstock.agent.kubernetes.backends.ServiceEndpoints.Target;
import dev.penstock.agent.kubernetes.objects.Service;
import java.util.List;

/// How near an endpoint is, for a Service's wishes: 0 is nearest.
final class Nearness {
  private static final int SAME_NODE = 0;
  private static final int SAME_ZONE = 1;
  private static final int ANYWHERE = 2;

  private final Place place;
  private final Service service;
  private final boolean hasNodeHints;
  private final boolean hasZoneHints;

  /// @param all the endpoints among which is chosen: hints count only when each has one
  Nearness(Place place, Service service, List<Target> all) {
    this.place = place;
    this.service = service;
    this.hasNodeHints = all.stream().noneMatch(one -> one.endpoint().forNodes().isEmpty());
    this.hasZoneHints = all.stream().noneMatch(one -> one.endpoint().forZones().isEmpty());
  }

  int of(Target target) {
    if (service.distribution() != Service.Distribution.SAME_ZONE && isForThisNode(target)) {
      return SAME_NODE;
    }
    return isForThisZone(target) ? SAME_ZONE : ANYWHERE;
  }

  private boolean isForThisNode(Target target) {
    return !place.node().isEmpty()
        && (hasNodeHints
            ? target.endpoint().forNodes().contains(place.node())
            : place.node().equals(target.endpoint().node()));
  }

  private boolean isForThisZone(Target target) {
    return !place.zone().isEmpty()
        && (hasZoneHints
            ? target.endpoint().forZones().contains(place.zone())
            : place.zone().equals(target.endpoint().zone()));
  }
}
