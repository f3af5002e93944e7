namespace Myna.Jit.Engine;

/// <summary>Where generated code that accesses memory directly goes on after a fault. Offsets in the code cache, ascending; used under the engine's lock.</summary>
internal sealed class FaultTable
{
    private int[] _from = new int[4096];
    private int[] _to = new int[4096];
    private int _count;

    public void Clear() => _count = 0;

    /// <param name="from">From here on, until the next entry.</param>
    public void Add(int from, int to)
    {
        if (_count == _from.Length)
        {
            Array.Resize(ref _from, _count * 2);
            Array.Resize(ref _to, _count * 2);
        }
        _from[_count] = from;
        _to[_count++] = to;
    }

    /// <summary>Replaces both when an entry at or before <paramref name="at"/> lies behind <paramref name="nearest"/>.</summary>
    public void Find(int at, ref int nearest, ref int to)
    {
        int index = Array.BinarySearch(_from, 0, _count, at);
        if (index < 0)
            index = ~index - 1;
        if (index >= 0 && _from[index] > nearest)
            (nearest, to) = (_from[index], _to[index]);
    }
}
