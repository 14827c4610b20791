using System.Text;
using Matrix.Crypto;
using Matrix.Events;

namespace Matrix.Testing;

// How events are made, and how branches part and meet.
public sealed partial class Room
{
    /// <summary>A second branch that starts where this one stands. Both add to the same DAG.</summary>
    public Room Fork() => new(_dag)
    {
        _roomId = _roomId, _creator = _creator, _joinRule = _joinRule, _additionalCreators = _additionalCreators,
        _extremities = _extremities, State = State, Last = Last,
    };

    /// <summary>Takes the other branch's end in: the next event cites both, and the state is resolved.</summary>
    public Room Merge(Room other)
    {
        if (!ReferenceEquals(other._dag, _dag)) throw new ArgumentException("The branches belong to different rooms.", nameof(other));
        _extremities = [.. _extremities.Concat(other._extremities).Distinct()];
        State = _dag.StateAfter(_extremities);
        return this;
    }

    /// <summary>
    /// An event as somebody malicious would make it: hashed and signed, but not authorised, and no part of the branch unless
    /// <paramref name="append"/>. It never changes the state.
    /// </summary>
    public Pdu Forged(TestUser sender, string type, string contentJson, string? stateKey = null, bool append = false)
    {
        var e = Build(sender, type, contentJson, stateKey, null, null);
        if (!append) return e;
        _dag.Add(e, State, allowed: false);
        _extremities = [e.EventId];
        Last = e;
        return e;
    }

    private Room Append(
        TestUser sender, string type, string contentJson, string? stateKey, string? redacts = null, TestServer? alsoSignedBy = null)
    {
        var e = Build(sender, type, contentJson, stateKey, redacts, alsoSignedBy);
        var verdict = AuthRules.Check(e, this, RoomAuthContext.Instance);
        if (!verdict.Allowed) throw new InvalidOperationException($"{type} of {sender} is not allowed: {verdict.Reason}");
        _dag.Add(e, State, allowed: true);
        State = _dag.StateAfter(e.EventId);
        _extremities = [e.EventId];
        Last = e;
        return this;
    }

    private Pdu Build(TestUser sender, string type, string contentJson, string? stateKey, string? redacts, TestServer? alsoSignedBy)
    {
        var content = Encoding.UTF8.GetBytes(contentJson);
        var version = _dag.Version;
        var auth = AuthRules.SelectKeys(type, stateKey, sender.Id, content, version)
            .Select(key => State.GetValueOrDefault(key)).OfType<string>().Distinct().ToArray();
        var depth = _extremities.Select(id => _dag.Find(id)!.Depth).DefaultIfEmpty(0).Max() + 1;
        var draft = new EventDraft(
            _roomId, type, stateKey, sender.Id, content, _dag.Tick(), depth, [.. _extremities], auth, redacts)
        {
            ReferenceHashOf = id => _dag.Find(id) is { } e ? EventHashes.ReferenceHash(e.Json.Span, version) : null,
        };
        if (EventBuilder.TryBuild(draft, version, sender.Server.Name, sender.Server.Key, Ed25519.Default, out var pdu) is { } fault)
            throw new InvalidOperationException($"{type} of {sender} cannot be built: {fault.Reason}");
        if (alsoSignedBy is null || alsoSignedBy.Name == sender.Server.Name) return pdu!;
        var signed = EventSigning.SignEvent(pdu!.Json.Span, version, alsoSignedBy.Name, alsoSignedBy.Key, Ed25519.Default);
        return Pdu.ReadTrusted(signed, version, pdu.EventId);
    }
}
