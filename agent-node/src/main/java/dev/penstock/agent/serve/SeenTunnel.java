package dev.penstock.agent.serve;

import dev.penstock.protocol.control.Protocol;
import org.jspecify.annotations.Nullable;

/// One tunnel of this agent as operators see it.
///
/// @param id at the gateway; that of the exposure alone while the agent is not registered
/// @param name what people call it
/// @param leadsTo where its streams go, for people
/// @param address where clients reach it; null while the gateway has not confirmed it
/// @param refusal why the gateway did not take it; null when it did not say so
public record SeenTunnel(
    String id,
    String name,
    Protocol protocol,
    String leadsTo,
    @Nullable String address,
    @Nullable String refusal) {}
