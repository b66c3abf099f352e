package dev.penstock.gateway;

import dev.penstock.access.AccessRules;
import dev.penstock.access.Cidr;
import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import dev.penstock.protocol.net.ProxyFront;
import java.time.Duration;
import java.util.List;

/// A `proxy_protocol` section: which proxies in front of a listener are believed when they say for
/// whom they connect.
///
/// @param mode `mode`: `off`, `optional` or `required`; default off
/// @param trusted `trusted`: whose headers are believed, 1 to 256 blocks unless off
/// @param timeout `timeout`: until the header must be complete, 100 ms to 1 min; default 5 s
public record ProxySettings(ProxyFront.Mode mode, List<Cidr> trusted, Duration timeout) {
  public ProxySettings {
    trusted = List.copyOf(trusted);
  }

  static ProxySettings of(Section section) {
    int problems = section.problemCount();
    var mode = section.get("mode", Kind.oneOf(ProxyFront.Mode.class), ProxyFront.Mode.OFF);
    var trusted = section.list("trusted", Cidr.kind(), AccessRules.MAX_BLOCKS);
    if (mode != ProxyFront.Mode.OFF && trusted.isEmpty() && section.problemCount() == problems) {
      section.missing("trusted", "the addresses of the proxies, such as [10.0.0.0/8]");
    }
    return new ProxySettings(
        mode,
        trusted,
        section.get(
            "timeout",
            Kind.duration(Duration.ofMillis(100), Duration.ofMinutes(1)),
            Duration.ofSeconds(5)));
  }

  ProxyFront front() {
    return mode == ProxyFront.Mode.OFF
        ? ProxyFront.OFF
        : new ProxyFront(mode, address -> AccessRules.anyContains(trusted, address), timeout);
  }
}
