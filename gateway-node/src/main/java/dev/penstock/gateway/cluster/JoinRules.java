package dev.penstock.gateway.cluster;

import com.typesafe.config.Config;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.cluster.ConfigValidation;
import org.apache.pekko.cluster.Invalid;
import org.apache.pekko.cluster.JoinConfigCompatChecker;
import org.apache.pekko.cluster.Valid;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/// Whether a node may join: same cluster, same secret, a language that both speak. It keeps
/// mistakes out, not attackers, for whom there is TLS: who can read the network can repeat the
/// digest. Made by Pekko by its name.
public final class JoinRules extends JoinConfigCompatChecker {
  static final String NAME = "penstock.cluster.name";
  static final String DIGEST = "penstock.cluster.secret-digest";
  static final String WIRE_MIN = "penstock.cluster.wire.min";
  static final String WIRE_MAX = "penstock.cluster.wire.max";

  /// How each problem begins that [#check] finds.
  static final String PREFIX = "not of this cluster: ";

  @Override
  public Seq<String> requiredKeys() {
    return CollectionConverters.asScala(List.of(NAME, DIGEST, WIRE_MIN, WIRE_MAX)).toList();
  }

  /// @param toCheck the keys of the other node
  /// @param own this node's
  @Override
  public ConfigValidation check(Config toCheck, Config own) {
    List<String> problems = problems(toCheck, own);
    return problems.isEmpty()
        ? Valid.getInstance()
        : new Invalid(CollectionConverters.asScala(problems).toList());
  }

  static List<String> problems(Config toCheck, Config own) {
    var problems = new ArrayList<String>();
    if (!requiredIn(toCheck)) {
      problems.add(PREFIX + "another program");
      return problems;
    }
    if (!toCheck.getString(NAME).equals(own.getString(NAME))) {
      problems.add(
          PREFIX
              + "cluster.name \""
              + printable(toCheck.getString(NAME))
              + "\" (expected: \""
              + own.getString(NAME)
              + "\")");
    } else if (!toCheck.getString(DIGEST).equals(own.getString(DIGEST))) {
      // With another name the digest differs as well.
      problems.add(PREFIX + "another cluster.secret");
    }
    int min = toCheck.getInt(WIRE_MIN);
    int max = toCheck.getInt(WIRE_MAX);
    if (max < own.getInt(WIRE_MIN) || own.getInt(WIRE_MAX) < min) {
      problems.add(
          PREFIX
              + "a release that speaks versions "
              + min
              + " to "
              + max
              + " (expected: one of "
              + own.getInt(WIRE_MIN)
              + " to "
              + own.getInt(WIRE_MAX)
              + ")");
    }
    return problems;
  }

  private static boolean requiredIn(Config config) {
    return config.hasPath(NAME)
        && config.hasPath(DIGEST)
        && config.hasPath(WIRE_MIN)
        && config.hasPath(WIRE_MAX);
  }

  private static String printable(String name) {
    return name.length() <= 60 && name.chars().allMatch(it -> it >= ' ' && it < 127)
        ? name
        : "a name that cannot be one";
  }
}
