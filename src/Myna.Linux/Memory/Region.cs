namespace Myna.Linux.Memory;

/// <summary>Pages of the guest with equal rights.</summary>
/// <param name="Start">First byte; a multiple of 4096.</param>
/// <param name="End">Behind the last byte.</param>
/// <param name="Rights">As the guest asked for them: the host's mapping is never executable.</param>
/// <param name="Object">Of shared mappings of a file: which one it is; else 0.</param>
/// <param name="GrowsDown">Accesses below it make it longer.</param>
/// <param name="Delta">What an address here is less than its offset in that file.</param>
public readonly record struct Region(ulong Start, ulong End, Protection Rights, bool Shared, ulong Object = 0, ulong Delta = 0, bool GrowsDown = false)
{
    public ulong Length => End - Start;

    internal bool SameKind(in Region other) => Rights == other.Rights && Shared == other.Shared && Object == other.Object && Delta == other.Delta && GrowsDown == other.GrowsDown;
}

/// <summary>The guest's mappings in order of address, which do not overlap. Neighbours of one kind are one region.</summary>
internal sealed class RegionList
{
    private readonly List<Region> _regions = [];

    public int Count => _regions.Count;
    public Region this[int index] => _regions[index];

    /// <summary>Bytes mapped.</summary>
    public ulong Total { get; private set; }

    /// <summary>Index of the first region that ends above an address.</summary>
    public int FirstEndingAbove(ulong address)
    {
        int low = 0, high = _regions.Count;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (_regions[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    public bool TryFind(ulong address, out Region region)
    {
        int i = FirstEndingAbove(address);
        region = i < _regions.Count ? _regions[i] : default;
        return i < _regions.Count && region.Start <= address;
    }

    /// <summary>The first region that begins above an address; null when the address is mapped or nothing is above it.</summary>
    public Region? NextAbove(ulong address)
    {
        int i = FirstEndingAbove(address);
        return i < _regions.Count && _regions[i].Start > address ? _regions[i] : null;
    }

    /// <summary>Whether nothing is mapped in [start, end).</summary>
    public bool IsFree(ulong start, ulong end)
    {
        int i = FirstEndingAbove(start);
        return i == _regions.Count || _regions[i].Start >= end;
    }

    /// <summary>Whether every page of [start, end) is mapped.</summary>
    public bool IsMapped(ulong start, ulong end)
    {
        for (int i = FirstEndingAbove(start); start < end; i++)
        {
            if (i == _regions.Count || _regions[i].Start > start)
                return false;
            start = _regions[i].End;
        }
        return true;
    }

    public void Remove(ulong start, ulong end)
    {
        int i = FirstEndingAbove(start);
        while (i < _regions.Count && _regions[i].Start < end)
        {
            Region r = _regions[i];
            Total -= Math.Min(r.End, end) - Math.Max(r.Start, start);
            bool left = r.Start < start, right = r.End > end;
            if (left)
            {
                _regions[i] = r with { End = start };
                i++;
                if (right)
                    _regions.Insert(i, r with { Start = end });
            }
            else if (right)
            {
                _regions[i] = r with { Start = end };
            }
            else
            {
                int last = i;
                while (last + 1 < _regions.Count && _regions[last + 1].End <= end)
                {
                    last++;
                    Total -= _regions[last].Length;
                }
                _regions.RemoveRange(i, last - i + 1);
            }
        }
    }

    /// <summary>Enters a region in place of whatever was there.</summary>
    public void Set(Region region)
    {
        Remove(region.Start, region.End);
        Total += region.Length;
        int i = FirstEndingAbove(region.Start);
        if (i < _regions.Count && _regions[i].Start == region.End && _regions[i].SameKind(region))
        {
            region = region with { End = _regions[i].End };
            _regions.RemoveAt(i);
        }
        if (i > 0 && _regions[i - 1].End == region.Start && _regions[i - 1].SameKind(region))
            _regions[i - 1] = _regions[i - 1] with { End = region.End };
        else
            _regions.Insert(i, region);
    }

    /// <summary>Changes the rights of what is mapped in [start, end).</summary>
    public void Protect(ulong start, ulong end, Protection rights)
    {
        while (start < end)
        {
            int i = FirstEndingAbove(start);
            if (i == _regions.Count || _regions[i].Start >= end)
                return;
            Region r = _regions[i];
            Region part = r with { Start = Math.Max(r.Start, start), End = Math.Min(r.End, end), Rights = rights };
            start = part.End;
            if (r.Rights != rights)
                Set(part);
        }
    }

    /// <summary>The highest gap of <paramref name="length"/> bytes inside [low, high), or 0.</summary>
    /// <param name="alignment">A power of two, at least 4096.</param>
    public ulong HighestGap(ulong low, ulong high, ulong length, ulong alignment)
    {
        ulong top = high;
        for (int i = FirstEndingAbove(high - 1); ; i--)
        {
            if (i < _regions.Count)
            {
                // The gap below region i was not looked at yet when it begins above the top.
                top = Math.Min(top, Math.Max(_regions[i].Start, low));
            }
            ulong bottom = Math.Max(low, i > 0 ? _regions[i - 1].End : 0);
            if (top >= bottom && top - bottom >= length)
            {
                ulong start = (top - length) & ~(alignment - 1);
                if (start >= bottom)
                    return start;
            }
            if (i == 0 || bottom <= low)
                return 0;
            top = Math.Min(top, _regions[i - 1].Start);
        }
    }
}
