using Myna.Hardware.Screens;

namespace Myna.Control.Screens;

/// <summary>Part of the picture that lies elsewhere now, as whole rows.</summary>
/// <param name="From">First row of the source, and <paramref name="To"/> of the destination.</param>
/// <param name="Count">Rows.</param>
public readonly record struct RowMove(int From, int To, int Count);

/// <summary>What changed for one viewer since it was told last. Used under the lock of its <see cref="ScreenHub"/>.</summary>
public sealed class Viewer
{
    private bool[] _damage = [];

    /// <summary>The size that the damage is for; another one than the surface's means that everything is new.</summary>
    public int Generation { get; private set; } = -1;

    /// <summary>Rows that moved before anything else changed; null for none.</summary>
    public RowMove? Move { get; private set; }

    public bool IsDamaged { get; private set; }

    /// <summary>Tiles to be sent, in the surface's order.</summary>
    public ReadOnlySpan<bool> Damage => _damage;

    /// <summary>The viewer wants to hear of changes.</summary>
    public bool Waiting { get; set; }

    internal void Note(Surface surface, RowMove? move, ReadOnlySpan<bool> afterMove)
    {
        if (surface.Generation != Generation)
        {
            Generation = surface.Generation;
            _damage = new bool[surface.Damage.Length];
            Array.Fill(_damage, true);
            Move = null;
            IsDamaged = true;
            return;
        }
        if (!surface.IsDamaged)
            return;
        // A move can be told to those only who have the picture before it.
        bool moves = move is not null && !IsDamaged;
        ReadOnlySpan<bool> changed = moves ? afterMove : surface.Damage;
        for (int i = 0; i < _damage.Length; i++)
            _damage[i] |= changed[i];
        Move = moves ? move : Move;
        if (!moves && Move is not null)
            ForgetMove(surface);
        IsDamaged = true;
    }

    /// <summary>Everything is to be sent.</summary>
    public void DamageAll()
    {
        Array.Fill(_damage, true);
        Move = null;
        IsDamaged = true;
    }

    /// <summary>The viewer has been told.</summary>
    public void Clear()
    {
        Array.Clear(_damage);
        Move = null;
        IsDamaged = false;
    }

    /// <summary>The rows that would have been copied are damaged instead.</summary>
    internal void ForgetMove(Surface surface)
    {
        RowMove move = Move!.Value;
        Move = null;
        for (int row = move.To / Surface.TileHeight; row <= (move.To + move.Count - 1) / Surface.TileHeight; row++)
            _damage.AsSpan(row * surface.Columns, surface.Columns).Fill(true);
    }
}
