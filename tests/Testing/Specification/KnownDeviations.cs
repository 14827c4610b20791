using System.Text.RegularExpressions;

namespace Matrix.Testing.Specification;

/// <summary>Where the schema of the specification is not what its text says, or clients and the conformance suite hold on to something else. May only shrink.</summary>
internal static class KnownDeviations
{
    private static readonly Deviation[] All =
    [
        new("/_matrix/client/v3/events", @"^/chunk/\d+/(event_id|origin_server_ts|room_id|sender): expected to be there",
            "The stream has typing, presence and receipts in it as well (they are in the examples of the text), the schema knows events of rooms only."),
        new("/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "^: expected exactly one of the alternatives",
            "Whole events fit the alternative of contents as well: that one is any object."),
        new("/_matrix/client/v3/rooms/{roomId}/joined_members", "^/joined/[^/]*/(avatar_url|display_name): expected type string, is null",
            "Synapse: both members are always there, and the conformance suite asks for them."),
        new("/_matrix/client/v3/voip/turnServer", "^/(password|ttl|uris|username): expected to be there",
            "Synapse: {} where no TURN server is configured, for which the specification has no answer."),
        new("/_matrix/client/v3/rooms/{roomId}/invite", "^: expected an answer, not 500, is .*identity server",
            "Synapse: 500 when the identity server that the client named does not answer; the specification has no answer for that."),
    ];

    private sealed record Deviation(string Path, string Fault, string Reason);

    public static bool Covers(Operation operation, string fault) => All.Any(d => d.Path == operation.Path && Regex.IsMatch(fault, d.Fault, RegexOptions.CultureInvariant));
}
