using System.Buffers;
using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// The push rules of a user, all kinds, in the order in which they are tried. Immutable and free of the user's id: users without rules of their
/// own share <see cref="Default"/>, so an event is evaluated once for all whom it does not concern.
/// Spec: client-server-api/#push-rules
/// </summary>
public sealed class PushRuleSet
{
    private readonly ImmutableArray<PushRule>[] _rules;

    private PushRuleSet(ImmutableArray<PushRule>[] rules)
    {
        _rules = rules;
        foreach (var list in rules)
        {
            foreach (var rule in list)
            {
                foreach (var condition in rule.Conditions) AsksDisplayName |= condition.AsksDisplayName && rule.Enabled;
            }
        }
    }

    /// <summary>The rules of somebody who changed none.</summary>
    public static PushRuleSet Default { get; } = PushRuleDefaults.Load();

    /// <summary>Whether some rule asks for the user's display name: the outcome is then the user's own.</summary>
    public bool AsksDisplayName { get; }

    public ImmutableArray<PushRule> this[PushRuleKind kind] => _rules[(int)kind];

    /// <summary>Null when there is no such rule.</summary>
    public PushRule? Find(PushRuleKind kind, string ruleId)
    {
        foreach (var rule in this[kind])
        {
            if (rule.RuleId == ruleId) return rule;
        }
        return null;
    }

    /// <summary>The first enabled rule that matches decides. Nothing for the sender's own events.</summary>
    public PushOutcome Evaluate(PushEvent e, in PushUser user)
    {
        if (user.Id == e.Event.Sender) return PushOutcome.Nothing;
        for (var kind = PushRuleKind.Override; kind <= PushRuleKind.Underride; kind++)
        {
            foreach (var rule in this[kind])
            {
                if (!rule.Enabled || !Matches(rule, kind, e, user)) continue;
                var actions = rule.Actions;
                return actions.Notify ? new PushOutcome(true, actions.Highlight, actions.Sound, rule) : new PushOutcome(false, false, null, rule);
            }
        }
        return PushOutcome.Nothing;
    }

    private static bool Matches(PushRule rule, PushRuleKind kind, PushEvent e, in PushUser user)
    {
        switch (kind)
        {
            case PushRuleKind.Room:
                return rule.RuleId == e.Event.RoomId;
            case PushRuleKind.Sender:
                return rule.RuleId == e.Event.Sender;
            case PushRuleKind.Content:
                return rule.Pattern is { } pattern && e.Body is { } body && WordGlob.Matches(pattern, body);
            default:
                foreach (var condition in rule.Conditions)
                {
                    if (!condition.Holds(e, user)) return false;
                }
                return true;
        }
    }

    /// <summary>
    /// Reads what is stored for a user: the content of <c>m.push_rules</c>, or its <c>global</c> alone, with all rules or only the user's own and
    /// changed ones. Default rules that are missing are added, those that are there keep their switch and actions; null: no JSON object.
    /// </summary>
    public static PushRuleSet? Parse(ReadOnlySpan<byte> json)
    {
        using var canonical = CanonicalPdu.TryOf(json);
        if (canonical is null) return null;
        var root = new CanonicalObject(canonical.Written);
        return Merge(root.TryGet("global"u8, out var global) ? global : canonical.Written);
    }

    private static PushRuleSet Merge(ReadOnlySpan<byte> global)
    {
        var rules = new ImmutableArray<PushRule>[5];
        var changed = false;
        for (var kind = PushRuleKind.Override; kind <= PushRuleKind.Underride; kind++)
        {
            var own = ImmutableArray.CreateBuilder<PushRule>();
            var stored = new Dictionary<string, PushRule>(StringComparer.Ordinal);
            if (new CanonicalObject(global).TryGet(PushRuleDefaults.Name(kind), out var list))
            {
                foreach (var element in new CanonicalArray(list))
                {
                    if (PushRule.Read(element) is not { } rule || !stored.TryAdd(rule.RuleId, rule)) continue;
                    if (!rule.IsDefault) own.Add(rule);
                }
            }
            changed |= own.Count > 0;
            var merged = ImmutableArray.CreateBuilder<PushRule>();
            foreach (var rule in Default[kind])
            {
                var now = rule;
                if (stored.TryGetValue(rule.RuleId, out var kept))
                {
                    if (kept.Enabled != now.Enabled) now = now.With(kept.Enabled);
                    if (!kept.Actions.Json.Span.SequenceEqual(now.Actions.Json.Span)) now = now.With(kept.Actions);
                }
                changed |= !ReferenceEquals(now, rule);
                if (rule.RuleId != PushRuleDefaults.Master && own.Count > 0)
                {
                    merged.AddRange(own);
                    own.Clear();
                }
                merged.Add(now);
            }
            merged.AddRange(own);
            rules[(int)kind] = merged.DrainToImmutable();
        }
        return changed ? new PushRuleSet(rules) : Default;
    }

    /// <summary>
    /// A rule added, or put in the place of the one with its id. Default rules cannot be added. A neighbour that does not exist gives null.
    /// </summary>
    /// <param name="before">The rule goes right before this user rule; null, with <paramref name="after"/> null as well: before all user rules.</param>
    public PushRuleSet? With(PushRuleKind kind, PushRule rule, string? before = null, string? after = null)
    {
        if (rule.IsDefault) return null;
        var list = this[kind];
        var old = IndexOf(list, rule.RuleId);
        if (before is null && after is null && old >= 0) return Replace(kind, list.SetItem(old, rule));
        if (old >= 0) list = list.RemoveAt(old);
        int at;
        if ((before ?? after) is { } neighbour)
        {
            at = IndexOf(list, neighbour);
            if (at < 0 || list[at].IsDefault) return null;
            if (before is null) at++;
        }
        else
        {
            at = list.Length > 0 && list[0].RuleId == PushRuleDefaults.Master ? 1 : 0;
        }
        return Replace(kind, list.Insert(at, rule));
    }

    /// <summary>Null when there is no such rule, or it is a default one.</summary>
    public PushRuleSet? Without(PushRuleKind kind, string ruleId)
    {
        var at = IndexOf(this[kind], ruleId);
        return at < 0 || this[kind][at].IsDefault ? null : Replace(kind, this[kind].RemoveAt(at));
    }

    /// <summary>A rule of either sort changed by switch or actions; null when there is none of that id.</summary>
    public PushRuleSet? Change(PushRuleKind kind, string ruleId, Func<PushRule, PushRule> change)
    {
        var at = IndexOf(this[kind], ruleId);
        return at < 0 ? null : Replace(kind, this[kind].SetItem(at, change(this[kind][at])));
    }

    /// <summary>Writes the content of <c>m.push_rules</c>: <c>{"global":{...}}</c>.</summary>
    public void Write(IBufferWriter<byte> output, string userId)
    {
        output.Write("{\"global\":"u8);
        WriteGlobal(output, userId);
        output.Write("}"u8);
    }

    /// <summary>Writes the rules by kind.</summary>
    public void WriteGlobal(IBufferWriter<byte> output, string userId)
    {
        var json = new MemberWriter(output);
        foreach (var kind in (ReadOnlySpan<PushRuleKind>)[PushRuleKind.Content, PushRuleKind.Override, PushRuleKind.Room, PushRuleKind.Sender, PushRuleKind.Underride])
        {
            json.Name(PushRuleDefaults.Name(kind));
            output.Write("["u8);
            for (var i = 0; i < this[kind].Length; i++)
            {
                if (i > 0) output.Write(","u8);
                this[kind][i].Write(output, kind, userId);
            }
            output.Write("]"u8);
        }
        json.End();
    }

    private static int IndexOf(ImmutableArray<PushRule> rules, string ruleId)
    {
        for (var i = 0; i < rules.Length; i++)
        {
            if (rules[i].RuleId == ruleId) return i;
        }
        return -1;
    }

    private PushRuleSet Replace(PushRuleKind kind, ImmutableArray<PushRule> list)
    {
        var rules = (ImmutableArray<PushRule>[])_rules.Clone();
        rules[(int)kind] = list;
        return new PushRuleSet(rules);
    }

    internal static PushRuleSet Of(ReadOnlySpan<byte> canonicalDefaults)
    {
        var rules = new ImmutableArray<PushRule>[5];
        for (var kind = PushRuleKind.Override; kind <= PushRuleKind.Underride; kind++)
        {
            var list = ImmutableArray.CreateBuilder<PushRule>();
            new CanonicalObject(canonicalDefaults).TryGet(PushRuleDefaults.Name(kind), out var array);
            foreach (var element in new CanonicalArray(array)) list.Add(PushRule.Read(element)!);
            rules[(int)kind] = list.DrainToImmutable();
        }
        return new PushRuleSet(rules);
    }
}

/// <summary>The server's own rules, from push-rules-default.json.</summary>
internal static class PushRuleDefaults
{
    /// <summary>The one default rule that comes before the user's.</summary>
    public const string Master = ".m.rule.master";

    public static ReadOnlySpan<byte> Name(PushRuleKind kind) => kind switch
    {
        PushRuleKind.Override => "override"u8,
        PushRuleKind.Content => "content"u8,
        PushRuleKind.Room => "room"u8,
        PushRuleKind.Sender => "sender"u8,
        _ => "underride"u8,
    };

    public static PushRuleSet Load()
    {
        using var stream = typeof(PushRuleDefaults).Assembly.GetManifestResourceStream("push-rules-default.json")!;
        var json = new byte[stream.Length];
        stream.ReadExactly(json);
        return PushRuleSet.Of(CanonicalJson.Of(json));
    }
}
