namespace Matrix.Sync.Sliding;

/// <summary>A request of sliding sync, whichever of its two forms it came in. Spec: MSC4186</summary>
/// <param name="IsStable">By the names of the proposal as it was accepted, rather than those of its first implementation.</param>
internal sealed record SlidingRequest(
    string UserId, string DeviceId, string ConnId, bool IsStable, IReadOnlyList<SlidingList> Lists, IReadOnlyDictionary<string, RoomConfig> Subscriptions,
    IReadOnlyList<ExtensionRequest> Extensions);

/// <param name="Ranges">Inclusive; null: the whole list.</param>
internal sealed record SlidingList(string Name, RoomConfig Config, (int From, int To)[]? Ranges, RoomListFilter Filter);

/// <summary>What is told of a room.</summary>
internal sealed record RoomConfig(int TimelineLimit, RequiredState Required)
{
    /// <summary>The most that any of them asks for.</summary>
    public static RoomConfig Union(IReadOnlyList<RoomConfig> configs)
    {
        if (configs.Count == 1) return configs[0];
        return new(configs.Max(c => c.TimelineLimit), RequiredState.Union([.. configs.Select(c => c.Required)]));
    }
}

/// <summary>Which rooms belong to a list. Null: it does not matter.</summary>
/// <param name="RoomTypes">Null among them: rooms without a type.</param>
internal sealed record RoomListFilter(
    bool? IsDm, bool? IsEncrypted, bool? IsInvited, IReadOnlyList<string>? Spaces, IReadOnlyList<string?>? RoomTypes, IReadOnlyList<string?> NotRoomTypes,
    IReadOnlyList<string>? Tags, IReadOnlyList<string> NotTags)
{
    public static RoomListFilter All { get; } = new(null, null, null, null, null, [], null, []);

    /// <summary>It takes state of the rooms to decide.</summary>
    public bool NeedsFacts => IsEncrypted is not null || RoomTypes is not null || NotRoomTypes.Count > 0;
}

/// <summary>An extension that the client has enabled.</summary>
/// <param name="Lists">Names of lists whose rooms it is about; null: all.</param>
/// <param name="Rooms">Subscribed rooms that it is about; null: all.</param>
/// <param name="Scope">Changes when the client asks for something else than before.</param>
internal sealed record ExtensionRequest(string Name, IReadOnlySet<string>? Lists, IReadOnlySet<string>? Rooms, string Scope, ExtensionOptions Options);

/// <param name="Since">to_device: position that the client has.</param>
/// <param name="Limit">Most messages or threads of an answer.</param>
internal sealed record ExtensionOptions(long? Since, int Limit, bool IncludeRoots);
