package dev.penstock.gateway.auth;

import dev.penstock.config.Secret;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The bearer tokens that are accepted, each with the cluster it stands for. How long an answer
/// takes depends on how many there are, not on how much of one was guessed. Immutable.
public final class Tokens {
  /// `Bearer` in any case (RFC 9110 §11.1), then a token as the settings allow it.
  private static final Pattern BEARER = Pattern.compile("(?i:bearer) +([!-~]{1,4096}) *");

  private final List<Map.Entry<Secret, String>> clusters;

  /// @param clusters cluster names by token
  public Tokens(Map<Secret, String> clusters) {
    this.clusters = List.copyOf(clusters.entrySet().stream().map(Map.Entry::copyOf).toList());
  }

  /// The cluster that the token stands for, empty when it is none of ours.
  public Optional<String> clusterOf(Secret presented) {
    String cluster = null;
    for (var entry : clusters) {
      // Goes through all of them, so that the place of a token in the list does not show either.
      if (entry.getKey().equals(presented)) {
        cluster = entry.getValue();
      }
    }
    return Optional.ofNullable(cluster);
  }

  /// The cluster that an `Authorization` header stands for.
  ///
  /// @param authorization the header's value, null when the request had none
  public Optional<String> clusterOfHeader(@Nullable String authorization) {
    return bearer(authorization).flatMap(this::clusterOf);
  }

  /// The token of an `Authorization` header, empty when it is not of the form `Bearer token`.
  ///
  /// @param authorization the header's value, null when the request had none
  public static Optional<Secret> bearer(@Nullable String authorization) {
    if (authorization == null) {
      return Optional.empty();
    }
    Matcher matcher = BEARER.matcher(authorization);
    return matcher.matches() ? Optional.of(Secret.of(matcher.group(1))) : Optional.empty();
  }

  /// What to tell a peer without a good token.
  public static String refusal(@Nullable String authorization) {
    return authorization == null
        ? "no token (expected: the header Authorization: Bearer TOKEN)"
        : "the token is not known here (expected: one of gateway.auth.tokens)";
  }
}
