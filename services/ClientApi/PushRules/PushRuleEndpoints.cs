using System.Buffers;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.PushRules;

/// <summary>Push rules. Spec: client-server-api/#push-rules-api</summary>
internal static class PushRuleEndpoints
{
    private const string Global = "/pushrules/global";
    private const string Rule = Global + "/{kind}/{ruleId}";
    private const int MaxRulesOfAKind = 1000;

    public static void MapPushRules(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.ApiV1R0V3Unstable;
        // Synapse: the slash at the end means all rules below, and what is no path of a rule is a bad request.
        routes.Get(v, "/pushrules/", GetAll).RequiresTrailingSlash(404).Named("get_push_rules");
        routes.Get(v, Global + "/", GetGlobal).RequiresTrailingSlash(400).Named("get_global_push_rules");
        routes.Get(v, Global + "/{kind}/", GetKind).RequiresTrailingSlash(400).Named("get_push_rules_of_kind");
        foreach (var map in (Func<ClientVersions, string, Delegate, RouteHandle>[])[routes.Get, routes.Put, routes.Delete])
            map(v, "/pushrules/{**rest}", NoRule).Named("no_push_rule");
        routes.Get(v, Rule, Get).Named("get_push_rule");
        routes.Put(v, Rule, Put).Named("set_push_rule").BodyLimit(64 * 1024);
        routes.Delete(v, Rule, Delete).Named("delete_push_rule");
        routes.Get(v, Rule + "/enabled", GetEnabled).Named("get_push_rule_enabled");
        routes.Put(v, Rule + "/enabled", PutEnabled).Named("set_push_rule_enabled");
        routes.Get(v, Rule + "/actions", GetActions).Named("get_push_rule_actions");
        routes.Put(v, Rule + "/actions", PutActions).Named("set_push_rule_actions").BodyLimit(64 * 1024);
    }

    private static async Task<IResult> GetAll(Requester requester, PushRuleBook book, CancellationToken ct) =>
        MatrixResults.Raw(await book.GetAsync(requester.UserId, ct));

    private static IResult NoRule() => MatrixResults.Error(MatrixError.Unrecognized() with { Status = 400 });

    private static async Task<IResult> GetKind(string kind, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        var buffer = new ArrayBufferWriter<byte>(4096);
        buffer.Write("["u8);
        var first = true;
        foreach (var rule in (await book.LoadAsync(requester.UserId, ct))[k])
        {
            if (!first) buffer.Write(","u8);
            first = false;
            rule.Write(buffer, k, requester.UserId.Value);
        }
        buffer.Write("]"u8);
        return MatrixResults.Raw(buffer.WrittenMemory);
    }

    private static async Task<IResult> GetGlobal(Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        (await book.LoadAsync(requester.UserId, ct)).WriteGlobal(buffer, requester.UserId.Value);
        return MatrixResults.Raw(buffer.WrittenMemory);
    }

    private static async Task<IResult> Get(
        string kind, string ruleId, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var (rule, k) = await FindAsync(kind, ruleId, requester, book, ct);
        var buffer = new ArrayBufferWriter<byte>();
        rule.Write(buffer, k, requester.UserId.Value);
        return MatrixResults.Raw(buffer.WrittenMemory);
    }

    private static async Task<IResult> GetEnabled(
        string kind, string ruleId, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var (rule, _) = await FindAsync(kind, ruleId, requester, book, ct);
        return MatrixResults.Object(w => w.WriteBoolean("enabled"u8, rule.Enabled));
    }

    private static async Task<IResult> GetActions(
        string kind, string ruleId, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var (rule, _) = await FindAsync(kind, ruleId, requester, book, ct);
        return MatrixResults.Object(w =>
        {
            w.WritePropertyName("actions"u8);
            w.WriteRawValue(rule.Actions.Json.Span, skipInputValidation: true);
        });
    }

    private static async Task<(PushRule Rule, PushRuleKind Kind)> FindAsync(
        string kind, string ruleId, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        return ((await book.LoadAsync(requester.UserId, ct)).Find(k, ruleId) ?? throw NotFound(), k);
    }

    private static async Task<IResult> Put(
        string kind, string ruleId, string? before, string? after, JsonBody body, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        var rule = PushRuleReader.Rule(k, ruleId, body.AsObject());
        var full = false;
        var done = await book.UpdateAsync(requester.UserId, rules =>
        {
            full = rules[k].Length >= MaxRulesOfAKind && rules.Find(k, ruleId) is null;
            // A rule that is written again stays switched off when it was.
            return full ? null : rules.With(k, rules.Find(k, ruleId) is { Enabled: false } ? rule.With(false) : rule, before, after);
        }, ct);
        if (full) throw MatrixError.InvalidParam("Too many rules").AsException();
        return done ? MatrixResults.Empty : throw MatrixError.Unknown(400, "The rule named by 'before' or 'after' was not found").AsException();
    }

    private static async Task<IResult> Delete(
        string kind, string ruleId, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        return await book.UpdateAsync(requester.UserId, rules => rules.Without(k, ruleId), ct) ? MatrixResults.Empty : throw NotFound();
    }

    private static async Task<IResult> PutEnabled(
        string kind, string ruleId, JsonBody body, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        var enabled = body.AsObject().BoolOrNull("enabled") ?? throw MatrixError.MissingParam("Missing 'enabled' parameter").AsException();
        return await book.UpdateAsync(requester.UserId, rules => rules.Change(k, ruleId, r => r.With(enabled)), ct) ? MatrixResults.Empty : throw NotFound();
    }

    private static async Task<IResult> PutActions(
        string kind, string ruleId, JsonBody body, Requester requester, PushRuleBook book, CancellationToken ct)
    {
        var k = PushRuleReader.Kind(kind);
        var actions = PushRuleReader.Actions(body.AsObject());
        return await book.UpdateAsync(requester.UserId, rules => rules.Change(k, ruleId, r => r.With(actions)), ct) ? MatrixResults.Empty : throw NotFound();
    }

    private static MatrixException NotFound() => MatrixError.NotFound("The push rule was not found.").AsException();
}
