using System.Runtime.InteropServices;

namespace Matrix.Primitives;

/// <summary>
/// Rendezvous hashing: every process that knows the same names gives the same key to the same name, and a name that comes or goes moves only
/// its own share of the keys. Stable across processes, releases and machines (golden values in the tests): never change the arithmetic.
/// </summary>
public static class Rendezvous
{
    private const ulong Prime = 0x100000001b3;
    private const ulong Basis = 0xcbf29ce484222325;

    /// <summary>Index of the best name for <paramref name="key"/>; -1 when there is none. Allocates nothing.</summary>
    public static int Pick(string key, IReadOnlyList<string> names)
    {
        var hash = Hash(key);
        var best = -1;
        ulong bestScore = 0;
        for (var i = 0; i < names.Count; i++)
        {
            var score = Score(hash, names[i]);
            if (best >= 0 && (score < bestScore || (score == bestScore && !Precedes(names[i], names[best])))) continue;
            best = i;
            bestScore = score;
        }
        return best;
    }

    /// <summary>Indexes of all names, best first: the order in which a request is offered when the best cannot take it.</summary>
    public static int[] Rank(string key, IReadOnlyList<string> names)
    {
        var order = new int[names.Count];
        Rank(key, names, order);
        return order;
    }

    /// <summary>As <see cref="Rank(string, IReadOnlyList{string})"/>, into a buffer of exactly as many places as names.</summary>
    public static void Rank(string key, IReadOnlyList<string> names, Span<int> order)
    {
        if (order.Length != names.Count) throw new ArgumentException("One place for each name.", nameof(order));
        var hash = Hash(key);
        // Insertion: a service group has a handful of instances.
        for (var i = 0; i < order.Length; i++)
        {
            var score = Score(hash, names[i]);
            var at = i;
            while (at > 0)
            {
                var other = Score(hash, names[order[at - 1]]);
                if (other > score || (other == score && !Precedes(names[i], names[order[at - 1]]))) break;
                order[at] = order[at - 1];
                at--;
            }
            order[at] = i;
        }
    }

    private static bool Precedes(string a, string b) => a.AsSpan().SequenceCompareTo(b) < 0;

    private static ulong Score(ulong keyHash, string name) => Mix(keyHash ^ Mix(Hash(name)));

    /// <summary>FNV-1a over the UTF-16 code units, little endian.</summary>
    private static ulong Hash(string text)
    {
        var hash = Basis;
        foreach (var unit in MemoryMarshal.Cast<char, ushort>(text.AsSpan()))
        {
            hash = (hash ^ (byte)unit) * Prime;
            hash = (hash ^ (byte)(unit >> 8)) * Prime;
        }
        return hash;
    }

    /// <summary>Spreads every bit of the input over the output (the finaliser of MurmurHash3): FNV alone is weak in its high bits.</summary>
    private static ulong Mix(ulong h)
    {
        h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
        h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
        return h ^ (h >> 33);
    }
}
