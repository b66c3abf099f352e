package dev.penstock.testkit.leases;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/// What many clients did with leases at the same time, and what they were told. [#violations]
/// proves that no port had two owners at one fencing number and that no acknowledged lease was
/// lost, or names where that is not so.
///
/// A call has a beginning and an end in time and takes effect at one moment between them. One that
/// had no answer, or the answer that nothing is known, may take effect at any later moment, or
/// never. Times are of one monotonic clock, such as [System#nanoTime] of one process. Any thread
/// may record; checking takes time quadratic in the number of grants of one port.
public final class LeaseHistory {
  private static final long NEVER = Long.MAX_VALUE;

  private final List<Granted> grants = new ArrayList<>();
  private final List<Released> releases = new ArrayList<>();
  private final Set<Seen> sightings = new LinkedHashSet<>();
  private final Map<Tunnel, Lease> last = new HashMap<>();

  private int answered;
  private boolean goesOn;

  /// By tunnel, as of the latest check.
  private final Map<Tunnel, List<Released>> releasesOf = new HashMap<>();

  /// Who has a lease.
  public record Tunnel(String cluster, String id) {}

  /// A public port and the number of its grant.
  ///
  /// @param transport `tcp` or `udp`
  /// @param fencing 0 when the one who saw the lease was not told
  public record Lease(String transport, int port, long fencing) {
    private String number() {
      return transport + " " + port;
    }

    private boolean isSameAs(Lease other) {
      return transport.equals(other.transport)
          && port == other.port
          && (fencing == 0 || other.fencing == 0 || fencing == other.fencing);
    }
  }

  private record Granted(Tunnel tunnel, Lease lease, long began, long ended) {}

  /// @param ended never, when nothing is known of it
  private record Released(Tunnel tunnel, long began, long ended) {}

  private record Seen(Tunnel tunnel, Lease lease) {}

  /// A registration that was answered with a lease.
  public synchronized void granted(Tunnel tunnel, Lease lease, long began, long ended) {
    answered++;
    grants.add(new Granted(tunnel, lease, began, ended));
  }

  /// A release that was acknowledged.
  public synchronized void released(Tunnel tunnel, long began, long ended) {
    answered++;
    releases.add(new Released(tunnel, began, ended));
  }

  /// A release of which nothing is known.
  public synchronized void releaseUnknown(Tunnel tunnel, long began) {
    releases.add(new Released(tunnel, began, NEVER));
  }

  /// A lease in the table of some node, at any time.
  public synchronized void seen(Tunnel tunnel, Lease lease) {
    sightings.add(new Seen(tunnel, lease));
  }

  /// A lease in the table after everything had come to its end. All of them must be named.
  public synchronized void atTheEnd(Tunnel tunnel, Lease lease) {
    last.put(tunnel, lease);
    sightings.add(new Seen(tunnel, lease));
  }

  /// Calls go on: nothing counts as lost until [#ends].
  public synchronized void goesOn() {
    goesOn = true;
    last.clear();
  }

  /// No call is under way: the table at the end is to be told as a whole, by [#atTheEnd]. A history
  /// of which nothing else is said has ended.
  public synchronized void ends() {
    goesOn = false;
    last.clear();
  }

  /// How many calls were answered.
  public synchronized int size() {
    return answered;
  }

  /// What could not have been, a sentence each, in a fixed order; empty when all is well.
  public synchronized List<String> violations() {
    return List.copyOf(check().sentences.keySet());
  }

  /// As [#violations], each with all that is known of the tunnels and ports that it is about.
  ///
  /// @param zero the moment that times are told from, by the same clock
  public synchronized List<String> explained(long zero) {
    return check().sentences.entrySet().stream()
        .map(found -> found.getKey() + "\n" + story(found.getValue(), zero))
        .toList();
  }

  private Found check() {
    var found = new Found();
    releasesOf.clear();
    for (Released release : releases) {
      releasesOf.computeIfAbsent(release.tunnel(), _ -> new ArrayList<>()).add(release);
    }
    twoOwners(found);
    portsGivenAway(found);
    changedWithoutRelease(found);
    if (!goesOn) {
      lost(found);
    }
    return found;
  }

  /// The violations, and whom each is about.
  private static final class Found {
    final SortedMap<String, Set<Tunnel>> sentences = new TreeMap<>();

    void add(String sentence, Tunnel... concerned) {
      sentences.put(sentence, Set.of(concerned));
    }
  }

  /// All that is known of these tunnels and of whoever had one of their ports.
  private String story(Set<Tunnel> concerned, long zero) {
    var ports = new TreeSet<String>();
    grants.stream()
        .filter(grant -> concerned.contains(grant.tunnel()))
        .forEach(grant -> ports.add(grant.lease().number()));
    sightings.stream()
        .filter(seen -> concerned.contains(seen.tunnel()))
        .forEach(seen -> ports.add(seen.lease().number()));
    var tunnels = new HashSet<>(concerned);
    var lines = new TreeMap<Long, List<String>>();
    for (Granted grant : grants) {
      if (concerned.contains(grant.tunnel()) || ports.contains(grant.lease().number())) {
        tunnels.add(grant.tunnel());
        lines
            .computeIfAbsent(grant.began(), _ -> new ArrayList<>())
            .add(
                during(grant.began(), grant.ended(), zero)
                    + " "
                    + grant.tunnel()
                    + " was given "
                    + grant.lease());
      }
    }
    for (Released release : releases) {
      if (tunnels.contains(release.tunnel())) {
        lines
            .computeIfAbsent(release.began(), _ -> new ArrayList<>())
            .add(
                during(release.began(), release.ended(), zero)
                    + " "
                    + release.tunnel()
                    + " was released");
      }
    }
    var text = new StringBuilder();
    lines
        .values()
        .forEach(each -> each.forEach(line -> text.append("  ").append(line).append('\n')));
    for (Seen seen : sightings) {
      if (tunnels.contains(seen.tunnel())) {
        text.append("  seen: ").append(seen.tunnel()).append(' ').append(seen.lease()).append('\n');
      }
    }
    return text.toString();
  }

  private static String during(long began, long ended, long zero) {
    return millis(began, zero) + ".." + (ended == NEVER ? "?" : millis(ended, zero)) + " ms";
  }

  private static long millis(long nanos, long zero) {
    return (nanos - zero) / 1_000_000;
  }

  /// One port at one number is one tunnel's.
  private void twoOwners(Found found) {
    Map<Lease, Tunnel> owners = new HashMap<>();
    var all = new ArrayList<>(sightings);
    grants.forEach(grant -> all.add(new Seen(grant.tunnel(), grant.lease())));
    for (Seen one : all) {
      if (one.lease().fencing() == 0) {
        continue;
      }
      Tunnel other = owners.putIfAbsent(one.lease(), one.tunnel());
      if (other != null && !other.equals(one.tunnel())) {
        found.add(
            one.lease().number()
                + " at fencing number "
                + one.lease().fencing()
                + ": two owners, "
                + other
                + " and "
                + one.tunnel(),
            other,
            one.tunnel());
      }
    }
    Map<String, Tunnel> ports = new HashMap<>();
    last.forEach((tunnel, lease) -> {
      Tunnel other = ports.putIfAbsent(lease.number(), tunnel);
      if (other != null) {
        found.add(
            lease.number() + ": two owners at the end, " + inOrder(other, tunnel), other, tunnel);
      }
    });
  }

  private static String inOrder(Tunnel one, Tunnel other) {
    return one.toString().compareTo(other.toString()) < 0
        ? one + " and " + other
        : other + " and " + one;
  }

  /// A port goes to another tunnel only after a release, and with a higher number.
  private void portsGivenAway(Found found) {
    var byPort = new HashMap<String, List<Granted>>();
    for (Granted grant : grants) {
      byPort.computeIfAbsent(grant.lease().number(), _ -> new ArrayList<>()).add(grant);
    }
    for (List<Granted> each : byPort.values()) {
      for (Granted earlier : each) {
        for (Granted later : each) {
          if (earlier.tunnel().equals(later.tunnel()) || earlier.ended() >= later.began()) {
            continue;
          }
          if (!mayHaveBeenReleased(earlier, later.ended())) {
            found.add(
                later.lease().number()
                    + ": given to "
                    + later.tunnel()
                    + " while "
                    + earlier.tunnel()
                    + " had it",
                later.tunnel(),
                earlier.tunnel());
          }
          if (later.lease().fencing() != 0
              && later.lease().fencing() <= earlier.lease().fencing()) {
            found.add(
                later.lease().number()
                    + ": fencing number "
                    + later.lease().fencing()
                    + " of "
                    + later.tunnel()
                    + " after "
                    + earlier.lease().fencing()
                    + " of "
                    + earlier.tunnel(),
                later.tunnel(),
                earlier.tunnel());
          }
        }
      }
    }
  }

  /// Whether a release may have taken effect after the grant and before `until`. One that was
  /// acknowledged before the grant began cannot have.
  private boolean mayHaveBeenReleased(Granted grant, long until) {
    return releasesOf.getOrDefault(grant.tunnel(), List.of()).stream()
        .anyMatch(release -> release.began() < until && release.ended() > grant.began());
  }

  /// A tunnel has the same lease as long as it is not released. Of two calls that were under way at
  /// the same time either may have taken effect first.
  private void changedWithoutRelease(Found found) {
    var byTunnel = new HashMap<Tunnel, List<Granted>>();
    for (Granted grant : grants) {
      byTunnel.computeIfAbsent(grant.tunnel(), _ -> new ArrayList<>()).add(grant);
    }
    byTunnel.forEach((tunnel, each) -> {
      var ordered = each.stream().sorted(Comparator.comparingLong(Granted::began)).toList();
      for (int i = 1; i < ordered.size(); i++) {
        Granted earlier = ordered.get(i - 1);
        Granted later = ordered.get(i);
        if (!earlier.lease().isSameAs(later.lease())
            && !mayHaveBeenReleased(earlier, later.ended())
            && !(later.began() < earlier.ended() && mayHaveBeenReleased(later, earlier.ended()))) {
          found.add(
              tunnel
                  + ": had "
                  + earlier.lease()
                  + ", was given "
                  + later.lease()
                  + " without a release",
              tunnel);
        }
      }
    });
  }

  /// What was acknowledged and cannot have been released since is there at the end.
  private void lost(Found found) {
    for (Granted grant : grants) {
      if (mayHaveBeenReleased(grant, NEVER)) {
        continue;
      }
      Lease now = last.get(grant.tunnel());
      if (now == null) {
        found.add(
            grant.tunnel() + ": " + grant.lease() + " was acknowledged and is lost",
            grant.tunnel());
      } else if (!now.isSameAs(grant.lease())) {
        found.add(
            grant.tunnel()
                + ": "
                + grant.lease()
                + " was acknowledged and is "
                + now
                + " at the end",
            grant.tunnel());
      }
    }
  }
}
