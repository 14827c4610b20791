using System.Collections;
using System.Numerics;

namespace Matrix.Events;

/// <summary>A set of small integers as bits; enumerates in ascending order.</summary>
internal sealed class NumberSet : IEnumerable<int>
{
    private ulong[] _words = new ulong[4];

    public NumberSet() { }

    public NumberSet(IEnumerable<int> numbers)
    {
        foreach (var number in numbers) Add(number);
    }

    public int Count
    {
        get
        {
            var count = 0;
            foreach (var word in _words) count += BitOperations.PopCount(word);
            return count;
        }
    }

    public bool Contains(int number) => number >> 6 < _words.Length && (_words[number >> 6] & 1UL << number) != 0;

    /// <summary>False when it was there.</summary>
    public bool Add(int number)
    {
        var index = number >> 6;
        if (index >= _words.Length) Array.Resize(ref _words, Math.Max(index + 1, _words.Length * 2));
        var bit = 1UL << number;
        if ((_words[index] & bit) != 0) return false;
        _words[index] |= bit;
        return true;
    }

    public void UnionWith(NumberSet other)
    {
        if (other._words.Length > _words.Length) Array.Resize(ref _words, other._words.Length);
        for (var i = 0; i < other._words.Length; i++) _words[i] |= other._words[i];
    }

    public void IntersectWith(NumberSet other)
    {
        for (var i = 0; i < _words.Length; i++) _words[i] &= i < other._words.Length ? other._words[i] : 0;
    }

    public void ExceptWith(NumberSet other)
    {
        for (var i = 0; i < Math.Min(_words.Length, other._words.Length); i++) _words[i] &= ~other._words[i];
    }

    public IEnumerator<int> GetEnumerator()
    {
        for (var i = 0; i < _words.Length; i++)
        {
            for (var word = _words[i]; word != 0; word &= word - 1) yield return i << 6 | BitOperations.TrailingZeroCount(word);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
