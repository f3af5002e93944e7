using System.Numerics;
using Myna.Hardware.Interrupts;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>One interrupt file of an IMSIC (Advanced Interrupt Architecture 1.0, chapter 3): 255 identities; the lowest has the highest priority.</summary>
[Stateful("imsic-file")]
public sealed partial class ImsicFile : IInterruptFile
{
    /// <summary>The highest identity.</summary>
    public const int Identities = 255;

    private const int eidelivery = 0x70, eithreshold = 0x72, eip0 = 0x80, eie0 = 0xc0;
    private const int Words = (Identities + 1) / 64;

    private readonly Lock _lock = new();
    private readonly InterruptLine _line;
    [Saved(1)] private readonly ulong[] _eip = new ulong[Words];
    [Saved(2)] private readonly ulong[] _eie = new ulong[Words];
    [Saved(3)] private bool _eidelivery;
    [Saved(4)] private uint _eithreshold;

    /// <param name="line">The hart's external interrupt of this level.</param>
    public ImsicFile(InterruptLine line) => _line = line;

    /// <inheritdoc/>
    public uint Top
    {
        get
        {
            lock (_lock)
            {
                uint identity = Best();
                return identity << 16 | identity;
            }
        }
    }

    /// <inheritdoc/>
    public void Claim()
    {
        lock (_lock)
        {
            if (Best() is not 0 and uint identity)
                _eip[identity >> 6] &= ~(1ul << (int)(identity & 63));
            Update();
        }
    }

    /// <inheritdoc/>
    public ulong Modify(int select, ulong keep, ulong set)
    {
        lock (_lock)
        {
            ulong old = 0;
            switch (select)
            {
                case eidelivery:
                    old = _eidelivery ? 1u : 0;
                    _eidelivery = ((old & keep | set) & 1) != 0;
                    break;
                case eithreshold:
                    old = _eithreshold;
                    _eithreshold = (uint)(old & keep | set) & Identities;
                    break;
                case >= eip0 and < eip0 + 2 * Words:
                    old = Change(_eip, (select - eip0) / 2, keep, set);
                    break;
                case >= eie0 and < eie0 + 2 * Words:
                    old = Change(_eie, (select - eie0) / 2, keep, set);
                    break;
            }
            Update();
            return old;
        }
    }

    /// <summary>A message for this file; identities that do not exist are ignored.</summary>
    public void Receive(uint identity)
    {
        if (identity is 0 or > Identities)
            return;
        lock (_lock)
        {
            _eip[identity >> 6] |= 1ul << (int)(identity & 63);
            Update();
        }
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        Array.Clear(_eip);
        Array.Clear(_eie);
        _eidelivery = false;
        _eithreshold = 0;
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
            Update();
    }

    private static ulong Change(ulong[] words, int index, ulong keep, ulong set)
    {
        ulong old = words[index];
        // Identity 0 does not exist.
        words[index] = (old & keep | set) & (index == 0 ? ~1ul : ~0ul);
        return old;
    }

    private uint Best()
    {
        for (int word = 0; word < Words; word++)
        {
            if ((_eip[word] & _eie[word]) is not 0 and ulong candidates)
            {
                uint identity = (uint)(word * 64 + BitOperations.TrailingZeroCount(candidates));
                return _eithreshold == 0 || identity < _eithreshold ? identity : 0;
            }
        }
        return 0;
    }

    private void Update() => _line.Set(_eidelivery && Best() != 0);
}
