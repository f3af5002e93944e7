using System.Runtime.InteropServices;
using Myna.Hardware.Screens;

namespace Myna.Control.Screens;

/// <summary>Finds out when rows of a picture have moved up or down, as text consoles do.</summary>
internal sealed class ScrollFinder
{
    private const int Fewest = 64;

    private ulong[] _before = [], _now = [];
    private int _generation = -1;
    private readonly Dictionary<ulong, int> _places = [];

    /// <summary>Compares the surface with what it was at the last call.</summary>
    /// <param name="afterMove">The tiles that differ once the rows have been moved.</param>
    /// <returns>The move, if most of the changes are one.</returns>
    public RowMove? Look(Surface surface, bool[] afterMove)
    {
        int height = surface.Height;
        if (_generation != surface.Generation)
        {
            _generation = surface.Generation;
            _before = new ulong[height];
            _now = new ulong[height];
            for (int y = 0; y < height; y++)
                _before[y] = Hash(surface.Row(y));
            return null;
        }
        int changed = 0;
        for (int y = 0; y < height; y++)
        {
            bool damaged = surface.Damage.Slice(y / Surface.TileHeight * surface.Columns, surface.Columns).Contains(true);
            _now[y] = damaged ? Hash(surface.Row(y)) : _before[y];
            changed += _now[y] != _before[y] ? 1 : 0;
        }
        RowMove? move = changed < Fewest / 2 ? null : Find(height);
        if (move is { } m)
        {
            Array.Clear(afterMove);
            for (int y = 0; y < height; y++)
            {
                ulong had = y >= m.To && y < m.To + m.Count ? _before[y - m.To + m.From] : _before[y];
                if (had != _now[y])
                    afterMove.AsSpan(y / Surface.TileHeight * surface.Columns, surface.Columns).Fill(true);
            }
        }
        (_before, _now) = (_now, _before);
        return move;
    }

    private RowMove? Find(int height)
    {
        // Rows that are alike say nothing about where they came from.
        _places.Clear();
        for (int y = 0; y < height; y++)
        {
            if (!_places.TryAdd(_before[y], y))
                _places[_before[y]] = -1;
        }
        int distance = 0, votes = 0;
        for (int y = 0; y < height; y++)
        {
            if (_before[y] == _now[y] || !_places.TryGetValue(_now[y], out int from) || from < 0)
                continue;
            if (votes == 0)
                distance = from - y;
            votes += from - y == distance ? 1 : -1;
        }
        if (votes <= 0 || distance == 0)
            return null;
        RowMove best = default;
        for (int y = Math.Max(0, -distance), start = y; y < Math.Min(height, height - distance); y++)
        {
            if (_before[y + distance] != _now[y])
                start = y + 1;
            else if (y + 1 - start > best.Count)
                best = new RowMove(start + distance, start, y + 1 - start);
        }
        return best.Count >= Fewest ? best : null;
    }

    private static ulong Hash(ReadOnlySpan<uint> row)
    {
        const ulong prime = 0x9E37_79B9_7F4A_7C15;
        ulong a = (ulong)row.Length, b = prime;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<uint, ulong>(row);
        foreach (ulong w in words)
        {
            a = (a ^ w) * prime;
            b = (b << 27 | b >> 37) + a;
        }
        if ((row.Length & 1) != 0)
            a = (a ^ row[^1]) * prime;
        return a ^ b;
    }
}
