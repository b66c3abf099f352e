package dev.penstock.management.access;

import dev.penstock.config.OneLine;
import dev.penstock.config.Secret;
import java.net.InetAddress;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Decides who may make a call to the management port. How long that takes depends on how many
/// tokens there are, not on how much of one was guessed. Immutable.
///
/// A browser sends what any page tells it to, with the certificates that it has and to addresses
/// that only it reaches. Three things keep pages of others out: whoever changes something must send
/// a header that a page of another origin cannot send without asking first, which is never granted;
/// an `Origin` must be this server's own; and where nothing else is asked for, the `Host` must not
/// be a name, because a name can be made to lead anywhere.
public final class Guard {
  /// Characters of what was asked that an answer shows.
  private static final int MAX_SHOWN = 60;

  /// The header that stands for [Asked#isMarked].
  public static final String ACTION_HEADER = "Penstock-Action";

  /// `Bearer` in any case (RFC 9110 §11.1), then a token as the settings allow it.
  private static final Pattern BEARER = Pattern.compile("(?i:bearer) +([!-~]{1,4096}) *");

  private static final Pattern HOST =
      Pattern.compile("(\\[[0-9A-Fa-f:.]+]|[^:\\[\\]]*)(?::[0-9]*)?");

  private final List<ManagementSettings.Token> tokens;
  private final @Nullable Role certificateRole;

  /// What a call looks like.
  ///
  /// @param effect whether it changes something
  /// @param scheme `http` or `https`
  /// @param host the header `Host`
  /// @param authorization the header; null when there is none
  /// @param isMarked whether [#ACTION_HEADER] is there
  /// @param origin the header; null when there is none
  /// @param fetchSite the header `Sec-Fetch-Site`; null when there is none
  /// @param certificate the name of the client certificate, which was checked; null without one
  public record Asked(
      Effect effect,
      String scheme,
      String host,
      @Nullable String authorization,
      boolean isMarked,
      @Nullable String origin,
      @Nullable String fetchSite,
      @Nullable String certificate) {}

  /// Whether a call changes something.
  public enum Effect {
    NONE,
    CHANGE
  }

  /// What is said to a call.
  public sealed interface Decision {
    /// It may be made.
    record Admitted(Caller caller) implements Decision {}

    /// It must not.
    ///
    /// @param status of HTTP: 401 or 403
    record Refused(int status, String detail) implements Decision {}
  }

  public Guard(ManagementSettings settings) {
    tokens = settings.tokens();
    var tls = settings.tls();
    certificateRole = tls == null || tls.clientCa() == null ? null : tls.clientRole();
  }

  /// Whether callers must show who they are.
  public boolean asksForProof() {
    return !tokens.isEmpty() || certificateRole != null;
  }

  /// Decides on one call.
  public Decision decide(Asked asked) {
    Caller caller = caller(asked);
    if (caller == null) {
      return new Decision.Refused(401, refusal(asked.authorization()));
    }
    if (!asksForProof() && !isSafeHost(asked.host())) {
      return new Decision.Refused(
          403,
          "Host: \""
              + OneLine.of(asked.host(), MAX_SHOWN)
              + "\" (expected: localhost or an address, because no token is asked for)");
    }
    if (asked.effect() == Effect.NONE) {
      return new Decision.Admitted(caller);
    }
    String origin = asked.origin();
    if (origin != null && !origin.equalsIgnoreCase(asked.scheme() + "://" + asked.host())) {
      return new Decision.Refused(
          403,
          "Origin: \""
              + OneLine.of(origin, MAX_SHOWN)
              + "\" (expected: this server's own, or none)");
    }
    String site = asked.fetchSite();
    if (site != null && !site.equals("same-origin") && !site.equals("none")) {
      return new Decision.Refused(
          403, "Sec-Fetch-Site: \"" + OneLine.of(site, MAX_SHOWN) + "\" (expected: same-origin)");
    }
    if (asked.authorization() == null && !asked.isMarked()) {
      return new Decision.Refused(
          403, "no " + ACTION_HEADER + " (expected: that header, or Authorization)");
    }
    if (caller.role() != Role.OPERATE) {
      return new Decision.Refused(
          403, "role of " + caller.name() + ": " + label(caller.role()) + " (expected: operate)");
    }
    return new Decision.Admitted(caller);
  }

  private @Nullable Caller caller(Asked asked) {
    String authorization = asked.authorization();
    if (authorization != null && !tokens.isEmpty()) {
      return ofToken(authorization);
    }
    if (certificateRole != null && asked.certificate() != null) {
      return new Caller(asked.certificate(), certificateRole);
    }
    return asksForProof() ? null : new Caller(Caller.ANONYMOUS, Role.OPERATE);
  }

  private @Nullable Caller ofToken(String authorization) {
    Matcher matcher = BEARER.matcher(authorization);
    if (!matcher.matches()) {
      return null;
    }
    var presented = Secret.of(matcher.group(1));
    Caller caller = null;
    for (var token : tokens) {
      // Goes through all of them, so that the place of a token in the list does not show either.
      if (token.token().equals(presented)) {
        caller = new Caller(token.name(), token.role());
      }
    }
    return caller;
  }

  private static String refusal(@Nullable String authorization) {
    return authorization == null
        ? "no token (expected: the header Authorization: Bearer TOKEN)"
        : "the token is not known here (expected: one of management.tokens)";
  }

  private static boolean isSafeHost(String host) {
    Matcher matcher = HOST.matcher(host);
    if (!matcher.matches()) {
      return false;
    }
    String name = matcher.group(1);
    if (name.equalsIgnoreCase("localhost")) {
      return true;
    }
    try {
      InetAddress.ofLiteral(name.replaceAll("[\\[\\]]", ""));
      return true;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }

  private static String label(Role role) {
    return role.name().toLowerCase(Locale.ROOT);
  }
}
