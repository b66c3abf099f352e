package dev.penstock.gateway.links;

import dev.penstock.protocol.control.DialStatus;

/// A client could not be carried by the link it was given to; its connection is untouched.
public record NotCarried(Client client, DialStatus why) {}
