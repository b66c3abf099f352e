package dev.penstock.gateway.drain;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.time.Duration;

/// How a node ends.
///
/// @param grace `gateway.drain.grace`: how long what runs may go on once no new clients are taken,
///   0 s to 24 h; default 60 s
/// @param listenerPause `gateway.drain.listener_pause`: how long new clients are still taken once
///   the node says that it is not ready, for load balancers that look now and then, 0 s to 10 min;
///   default 5 s for a node of a cluster, 0 s for a gateway alone, whose clients have nowhere to go
/// @param udpQuiet `gateway.drain.udp_quiet`: how long nothing may have gone on a UDP flow that
///   goes on once no new clients are taken, 0 s to 24 h; default 5 s
public record DrainSettings(Duration grace, Duration listenerPause, Duration udpQuiet) {
  /// Where a node stands that drains.
  public enum Company {
    /// There are other nodes, and perhaps a load balancer in front of them.
    CLUSTER,
    /// A gateway by itself.
    ALONE
  }

  /// Reads the section `gateway.drain`.
  public static DrainSettings of(Section section, Company company) {
    return new DrainSettings(
        section.get(
            "grace", Kind.duration(Duration.ZERO, Duration.ofHours(24)), Duration.ofSeconds(60)),
        section.get(
            "listener_pause",
            Kind.duration(Duration.ZERO, Duration.ofMinutes(10)),
            company == Company.CLUSTER ? Duration.ofSeconds(5) : Duration.ZERO),
        section.get(
            "udp_quiet",
            Kind.duration(Duration.ZERO, Duration.ofHours(24)),
            Duration.ofSeconds(5)));
  }
}
