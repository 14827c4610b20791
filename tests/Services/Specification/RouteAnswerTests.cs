using Matrix.ServiceTests.ClientApi;
using Matrix.Testing.Specification;

namespace Matrix.ServiceTests.Specification;

/// <summary>What every route says before it looks at what is asked of it.</summary>
public sealed class RouteAnswerTests(WholeFixture api) : IClassFixture<WholeFixture>
{
    private static readonly string[] Methods = ["GET", "PUT", "POST", "DELETE"];
    /// <summary>Services that the host of these tests has.</summary>
    private static readonly string[] Hosted = ["clientapi", "eventpersister", "sync", "media", "userdirectory", "federationinbound"];
    private static IEnumerable<ServedRoute> Routes => ServedRoute.All.Where(r => Hosted.Contains(r.Service));

    private async Task<string> CodeAsync(string method, string path, TestUser? user = null, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (user is not null) request.Headers.Authorization = new("Bearer", user.Token);
        if (body is not null) request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await api.Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        if (response.Content.Headers.ContentType?.MediaType != "application/json") return $"{(int)response.StatusCode}";
        return $"{(int)response.StatusCode} {new Answer((int)response.StatusCode, System.Text.Json.JsonDocument.Parse(text).RootElement).Code}";
    }

    [Fact]
    public async Task A_method_that_a_path_does_not_have_is_405()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in Routes.Select(r => r.Filled).Distinct(StringComparer.Ordinal))
            foreach (var method in Methods.Append("PATCH").Where(m => !ServedRoute.All.Any(r => r.Method == m && r.Matches(path))))
                if (await CodeAsync(method, path) is var code and not "405 M_UNRECOGNIZED") wrong.Add($"{method} {path}: {code}");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task A_path_that_is_nobodys_is_404()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in Routes.Select(r => r.Filled.TrimEnd('/')).SelectMany(p => new[] { p + "/x/y/z", p + "x/y/z" }).Distinct(StringComparer.Ordinal))
            if (!ServedRoute.All.Any(r => r.Matches(path)) && await CodeAsync("GET", path) is var code and not "404 M_UNRECOGNIZED") wrong.Add($"{path}: {code}");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task Who_has_no_token_is_told_so_where_the_specification_asks_for_one()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var route in Routes)
        {
            if (MatrixSpecification.Find(route.Method, route.Filled) is not { } operation) continue;
            var code = await CodeAsync(route.Method, route.Filled, body: route.Method is "PUT" or "POST" ? "{}" : null);
            var fits = (route.Path.StartsWith("/_matrix/federation/", StringComparison.Ordinal), operation.Auth) switch
            {
                (true, "user" or "federation") => code == "401 M_UNAUTHORIZED",
                (_, "user") => code == "401 M_MISSING_TOKEN",
                _ => StricterThanAsked.Contains(route.Operation) || code != "401 M_MISSING_TOKEN",
            };
            if (!fits) wrong.Add($"{route.Method} {route.Path} ({operation.Auth}): {code}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task A_token_that_is_none_is_refused_where_one_is_asked_for()
    {
        var nobody = new TestUser("@nobody:test.example", "syt_none", "D", "");
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var route in Routes.Where(r => r.Access == "required"))
            if (await CodeAsync(route.Method, route.Filled, nobody, route.Method is "PUT" or "POST" ? "{}" : null) is var code and not "401 M_UNKNOWN_TOKEN")
                wrong.Add($"{route.Method} {route.Path}: {code}");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>Every route under the prefixes of the specification is an operation of it, or is known to be none.</summary>
    [Fact]
    public void Every_route_is_an_operation_of_the_specification_or_a_known_addition()
    {
        Assert.Equal(226, MatrixSpecification.Operations.Count);
        var others = ServedRoute.All.Where(r => r.Path.StartsWith("/_matrix/", StringComparison.Ordinal)).GroupBy(r => r.Operation)
            .Where(o => o.All(r => MatrixSpecification.Find(r.Method, r.Filled) is null)).Select(o => o.Key).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(string.Join('\n', Additions), string.Join('\n', others));
    }

    /// <summary>Synapse: these want a token by default. The user's information is asked for with the token that it is about.</summary>
    private static readonly string[] StricterThanAsked = ["get_public_rooms", "deactivate_account", "federation_openid_userinfo"];

    /// <summary>Operations that the specification (v1.19) does not have.</summary>
    private static readonly string[] Additions =
    [
        "ban_with_transaction", "cas_redirect", "cas_ticket", "change_delayed_event", "delete_account_data", "delete_dehydrated_device", "delete_room_account_data",
        "federation_3pid_bound_by_post", "forget_room_with_transaction", "get_auth_issuer_unstable", "get_auth_metadata_unstable", "get_consent",
        "get_dehydrated_device", "get_dehydrated_device_events", "get_delayed_event", "get_delayed_events", "get_password_policy", "get_push_rules_of_kind",
        "get_thread_updates", "get_uia_fallback", "give_consent", "invite_with_transaction", "join_room_by_id_with_transaction", "join_room_with_transaction",
        "kick_with_transaction", "leave_room_with_transaction", "no_push_rule", "redact_without_transaction", "renew_account", "send_account_validity_mail",
        "send_delayed_event", "send_event_without_transaction", "set_dehydrated_device", "sliding_sync", "sliding_sync_unstable", "sso_uia_fallback",
        "submit_address_email_token", "submit_registration_email_token", "submit_uia_fallback", "unban_with_transaction",
    ];

    [Fact]
    public void What_the_specification_has_and_we_serve_is_found_by_its_own_path()
    {
        foreach (var operation in MatrixSpecification.Operations)
        {
            var path = System.Text.RegularExpressions.Regex.Replace(operation.Path, @"\{[^}]*\}", "x");
            if (ServedRoute.All.Any(r => r.Method == operation.Method && r.Matches(path))) Assert.Equal(operation.Path, MatrixSpecification.Find(operation.Method, path)?.Path);
        }
    }
}
