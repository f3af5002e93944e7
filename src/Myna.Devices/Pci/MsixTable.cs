using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// A function's MSI-X vectors: table and pending bits (PCI 3.0, section 6.8.2). Thread-safe; messages are sent with the
/// lock held, so that a vector masked by the guest is silent once the masking write has finished.
/// </summary>
[Stateful("msix")]
public sealed partial class MsixTable
{
    /// <summary>Bytes of one table entry: address, upper address, data, vector control.</summary>
    public const int EntrySize = 16;

    /// <summary>Bits of Message Control (section 6.8.2.3).</summary>
    public const uint Enable = 1u << 15, FunctionMask = 1u << 14;

    private const uint VectorMasked = 1;

    private readonly Lock _lock = new();
    private readonly Func<ulong, uint, bool> _send;

    [Saved(1)]
    private readonly uint[] _table;

    [Saved(2)]
    private readonly ulong[] _pending;

    [Saved(3)]
    private uint _control;

    /// <param name="vectors">1 to 2048.</param>
    /// <param name="send">Delivers a message: address and data.</param>
    public MsixTable(int vectors, Func<ulong, uint, bool> send)
    {
        Vectors = vectors;
        _send = send;
        _table = new uint[vectors * (EntrySize / 4)];
        _pending = new ulong[(vectors + 63) / 64];
        Reset();
    }

    public int Vectors { get; }

    /// <summary>Bytes of the pending bit array.</summary>
    public int PendingSize => _pending.Length * 8;

    /// <summary>Message Control says that the function signals by MSI-X.</summary>
    public bool Enabled => (Volatile.Read(ref _control) & Enable) != 0;

    /// <summary>Message Control changed.</summary>
    public void SetControl(uint control)
    {
        lock (_lock)
        {
            Volatile.Write(ref _control, control & (Enable | FunctionMask));
            for (int vector = 0; vector < Vectors; vector++)
                Deliver(vector);
        }
    }

    /// <summary>Signals a vector; a masked one becomes pending. A vector that does not exist is ignored.</summary>
    public void Signal(int vector)
    {
        if ((uint)vector >= (uint)Vectors)
            return;
        lock (_lock)
        {
            if ((_control & Enable) == 0)
                return;
            _pending[vector >> 6] |= 1UL << (vector & 63);
            Deliver(vector);
        }
    }

    /// <summary>Reads the table; <paramref name="offset"/> is aligned to <paramref name="size"/>, 4 or 8 bytes.</summary>
    public ulong ReadTable(ulong offset, int size)
    {
        lock (_lock)
        {
            ulong value = Word(offset);
            return size == 8 ? value | (ulong)Word(offset + 4) << 32 : value;
        }
    }

    /// <summary>Writes the table; what is pending and becomes unmasked is sent.</summary>
    public void WriteTable(ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            SetWord(offset, (uint)value);
            if (size == 8)
                SetWord(offset + 4, (uint)(value >> 32));
        }
    }

    /// <summary>Reads pending bits; they are read-only.</summary>
    public ulong ReadPending(ulong offset, int size)
    {
        lock (_lock)
        {
            ulong word = offset / 8 < (ulong)_pending.Length ? _pending[offset / 8] : 0;
            return size == 8 ? word : (uint)(word >> (int)(offset & 4) * 8);
        }
    }

    /// <summary>All vectors masked, nothing pending.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Array.Clear(_table);
            Array.Clear(_pending);
            Volatile.Write(ref _control, 0);
            for (int i = 3; i < _table.Length; i += 4)
                _table[i] = VectorMasked;
        }
    }

    private uint Word(ulong offset) => offset / 4 < (ulong)_table.Length ? _table[offset / 4] : 0;

    private void SetWord(ulong offset, uint value)
    {
        if (offset / 4 >= (ulong)_table.Length)
            return;
        int index = (int)(offset / 4);
        // Address bits 1:0 are zero; of Vector Control only the mask bit exists.
        _table[index] = (index & 3) switch { 0 => value & ~3u, 3 => value & VectorMasked, _ => value };
        Deliver(index >> 2);
    }

    private void Deliver(int vector)
    {
        ref ulong word = ref _pending[vector >> 6];
        ulong bit = 1UL << (vector & 63);
        int entry = vector * 4;
        if ((word & bit) == 0 || (_control & (Enable | FunctionMask)) != Enable || (_table[entry + 3] & VectorMasked) != 0)
            return;
        word &= ~bit;
        _ = _send(_table[entry] | (ulong)_table[entry + 1] << 32, _table[entry + 2]);
    }

    private void Sync()
    {
        // Pending messages that the machine could not send before are sent by the next write, as before the save.
    }
}
