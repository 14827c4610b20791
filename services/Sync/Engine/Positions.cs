using Matrix.Primitives;
using Matrix.Replication;

namespace Matrix.Sync.Engine;

/// <summary>One moment in all streams that sync follows. An answer tells exactly what is in (since, now].</summary>
internal readonly record struct Positions(
    long Events, long Receipts, long AccountData, long ToDevice, long DeviceLists, long Presence, long Typing, long? TypingTsMs)
{
    public static Positions Of(StreamToken token) => new(
        token.Events ?? 0, token.Receipts ?? 0, token.AccountData ?? 0, token.ToDevice ?? 0, token.DeviceLists ?? 0,
        token.Presence ?? 0, token.Typing ?? 0, token.TypingTsMs);

    public StreamToken ToToken() => StreamToken.Of(
        ('e', Events), ('r', Receipts), ('a', AccountData), ('t', ToDevice), ('d', DeviceLists), ('p', Presence), ('y', Typing), ('x', TypingTsMs));

    /// <summary>The persistent streams, with what a token says of them.</summary>
    public IEnumerable<(StreamDefinition Stream, long Position)> Persistent =>
    [
        (Streams.Events, Events), (Streams.Receipts, Receipts), (Streams.AccountData, AccountData), (Streams.ToDevice, ToDevice),
        (Streams.DeviceLists, DeviceLists),
    ];

    /// <summary>An ephemeral stream that is behind the token was reset: everything in it is new.</summary>
    public Positions WithResets(in Positions now) => this with
    {
        Presence = Presence > now.Presence ? 0 : Presence,
        Typing = Typing > now.Typing ? 0 : Typing,
    };

    /// <summary>No stream of the answer may fall behind what the client has already.</summary>
    public Positions NotBefore(in Positions since) => this with
    {
        Events = Math.Max(Events, since.Events),
        Receipts = Math.Max(Receipts, since.Receipts),
        AccountData = Math.Max(AccountData, since.AccountData),
        ToDevice = Math.Max(ToDevice, since.ToDevice),
        DeviceLists = Math.Max(DeviceLists, since.DeviceLists),
    };
}
