package dev.penstock.testkit.leases;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// What many clients did with leases at the same time, and what they were told. [#violations]
/// proves that no port had two owners at one fencing number and that no acknowledged lease was
/// lost, or names where that is not so.
///
/// A call has a beginning and an end in time and takes effect at one moment between them. One that
/// had no answer, or the answer that nothing is known, may take effect at any later moment, or
/// never. Times are of one monotonic clock, such as [System#nanoTime] of one process. Any thread
/// may record; checking takes time quadratic in the number of calls for one tunnel or one port.
public final class LeaseHistory {
  private static final long NEVER = Long.MAX_VALUE;

  private final List<Granted> grants = new ArrayList<>();
  private final List<Released> releases = new ArrayList<>();
  private final List<Seen> sightings = new ArrayList<>();
  private final Map<Tunnel, Lease> last = new HashMap<>();

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
    grants.add(new Granted(tunnel, lease, began, ended));
  }

  /// A release that was acknowledged.
  public synchronized void released(Tunnel tunnel, long began, long ended) {
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

  /// How many calls were answered.
  public synchronized int size() {
    return grants.size() + (int) releases.stream().filter(it -> it.ended() != NEVER).count();
  }

  /// What could not have been, a sentence each, in a fixed order; empty when all is well.
  public synchronized List<String> violations() {
    var found = new TreeSet<String>();
    twoOwners(found);
    portsGivenAway(found);
    changedWithoutRelease(found);
    lost(found);
    return List.copyOf(found);
  }

  /// One port at one number is one tunnel's.
  private void twoOwners(Set<String> found) {
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
                + one.tunnel());
      }
    }
    Map<String, Tunnel> ports = new HashMap<>();
    last.forEach((tunnel, lease) -> {
      Tunnel other = ports.putIfAbsent(lease.number(), tunnel);
      if (other != null) {
        found.add(lease.number() + ": two owners at the end, " + inOrder(other, tunnel));
      }
    });
  }

  private static String inOrder(Tunnel one, Tunnel other) {
    return one.toString().compareTo(other.toString()) < 0
        ? one + " and " + other
        : other + " and " + one;
  }

  /// A port goes to another tunnel only after a release, and with a higher number.
  private void portsGivenAway(Set<String> found) {
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
                    + " had it");
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
                    + earlier.tunnel());
          }
        }
      }
    }
  }

  /// Whether a release may have taken effect after the grant and before `until`. One that was
  /// acknowledged before the grant began cannot have.
  private boolean mayHaveBeenReleased(Granted grant, long until) {
    return releases.stream()
        .anyMatch(release ->
            release.tunnel().equals(grant.tunnel())
                && release.began() < until
                && release.ended() > grant.began());
  }

  /// A tunnel has the same lease as long as it is not released.
  private void changedWithoutRelease(Set<String> found) {
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
            && !mayHaveBeenReleased(earlier, later.ended())) {
          found.add(
              tunnel
                  + ": had "
                  + earlier.lease()
                  + ", was given "
                  + later.lease()
                  + " without a release");
        }
      }
    });
  }

  /// What was acknowledged and cannot have been released since is there at the end.
  private void lost(Set<String> found) {
    for (Granted grant : grants) {
      if (mayHaveBeenReleased(grant, NEVER)) {
        continue;
      }
      Lease now = last.get(grant.tunnel());
      if (now == null) {
        found.add(grant.tunnel() + ": " + grant.lease() + " was acknowledged and is lost");
      } else if (!now.isSameAs(grant.lease())) {
        found.add(
            grant.tunnel()
                + ": "
                + grant.lease()
                + " was acknowledged and is "
                + now
                + " at the end");
      }
    }
  }
}
