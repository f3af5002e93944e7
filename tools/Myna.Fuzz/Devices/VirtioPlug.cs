namespace Myna.Fuzz.Devices;

/// <summary>What a driver does with a virtio device, over virtio-mmio or virtio-pci (Virtual I/O Device 1.2, sections 4.1 and 4.2).</summary>
internal abstract class VirtioPlug
{
    public abstract void Reset();
    public abstract uint Status();
    public abstract void Status(uint value);
    public abstract ulong Features();
    public abstract void Accept(ulong features);

    /// <summary>Selects a queue; its size at most, 0 when there is none.</summary>
    public abstract int Select(int queue);

    public abstract void SetUp(int size, ulong descriptors, ulong driver, ulong device);
    public abstract void Notify(int queue);

    /// <summary>Its requests are SCSI commands.</summary>
    public virtual bool IsScsi => false;
}

/// <summary>A register window of virtio-mmio, found by its magic value.</summary>
internal sealed class MmioPlug(BoardFuzzer board, ulong window) : VirtioPlug
{
    public const uint Magic = 0x7472_6976;

    private uint Get(ulong offset) => (uint)board.Load(window + offset, 4);
    private void Set(ulong offset, ulong value) => board.Store(window + offset, 4, (uint)value);

    public override void Reset() => Set(0x70, 0);
    public override uint Status() => Get(0x70);
    public override void Status(uint value) => Set(0x70, value);

    public override ulong Features()
    {
        Set(0x14, 0);
        ulong low = Get(0x10);
        Set(0x14, 1);
        return low | (ulong)Get(0x10) << 32;
    }

    public override void Accept(ulong features)
    {
        Set(0x24, 0);
        Set(0x20, features);
        Set(0x24, 1);
        Set(0x20, features >> 32);
    }

    public override int Select(int queue)
    {
        Set(0x30, (uint)queue);
        return (int)Get(0x34);
    }

    public override void SetUp(int size, ulong descriptors, ulong driver, ulong device)
    {
        Set(0x38, (uint)size);
        ulong at = 0x80;
        foreach (ulong address in (ReadOnlySpan<ulong>)[descriptors, driver, device])
        {
            Set(at, address);
            Set(at + 4, address >> 32);
            at += 0x10;
        }
        Set(0x44, 1);
    }

    public override void Notify(int queue) => Set(0x50, (uint)queue);
}

/// <summary>A function of virtio-pci. Its BARs are placed, its structures found by their capabilities.</summary>
internal sealed class PciPlug : VirtioPlug
{
    private readonly BoardFuzzer _board;
    private readonly int _function;
    private readonly ulong[] _structures = new ulong[6];
    private readonly ulong _bars;
    private uint _multiplier;

    public PciPlug(BoardFuzzer board, int function, ulong bars)
    {
        _board = board;
        _function = function;
        _bars = bars;
        Place();
    }

    // Random accesses move BARs and switch them off.
    private void Place()
    {
        ulong bars = _bars;
        ulong[] places = new ulong[6];
        for (int i = 0; i < 6; i++)
        {
            int offset = 0x10 + (4 * i);
            Put(offset, 4, uint.MaxValue);
            uint mask = Get(offset, 4);
            if ((mask & ~0xFu) == 0)
                continue;
            ulong size = ~(mask & ~0xFu) + 1u;
            places[i] = bars = (bars + size - 1) / size * size;
            Put(offset, 4, (uint)bars);
            if ((mask & 6) == 4)
                Put(offset + 4, 4, (uint)(bars >> 32));
            bars += size;
            if ((mask & 6) == 4)
                i++;
        }
        Put(4, 2, 6);
        int seen = 0;
        for (int cap = (int)Get(0x34, 1); cap != 0 && seen++ < 48; cap = (int)Get(cap + 1, 1))
        {
            if (Get(cap, 1) == 9 && Get(cap + 3, 1) is > 0 and < 5 and var type)
            {
                _structures[type] = places[Get(cap + 4, 1) % 6] + Get(cap + 8, 4);
                if (type == 2)
                    _multiplier = Get(cap + 16, 4);
            }
        }
    }

    public override bool IsScsi => Get(2, 2) == 0x1048;

    private uint Get(int offset, int size) => _board.GetConfig(_function, offset, size);
    private void Put(int offset, int size, uint value) => _board.PutConfig(_function, offset, size, value);
    private ulong Common(ulong offset, int size) => _board.Load(_structures[1] + offset, size);
    private void Common(ulong offset, int size, ulong value) => _board.Store(_structures[1] + offset, size, value);

    public override void Reset()
    {
        Place();
        Common(0x14, 1, 0);
    }

    public override uint Status() => (uint)Common(0x14, 1);
    public override void Status(uint value) => Common(0x14, 1, value);

    public override ulong Features()
    {
        Common(0, 4, 0);
        ulong low = Common(4, 4);
        Common(0, 4, 1);
        return low | Common(4, 4) << 32;
    }

    public override void Accept(ulong features)
    {
        Common(8, 4, 0);
        Common(0xC, 4, (uint)features);
        Common(8, 4, 1);
        Common(0xC, 4, features >> 32);
    }

    public override int Select(int queue)
    {
        Common(0x16, 2, (ulong)queue);
        return (int)Common(0x18, 2) & 0xFFFF;
    }

    public override void SetUp(int size, ulong descriptors, ulong driver, ulong device)
    {
        Common(0x18, 2, (ulong)size);
        Common(0x20, 8, descriptors);
        Common(0x28, 8, driver);
        Common(0x30, 8, device);
        Common(0x1C, 2, 1);
    }

    public override void Notify(int queue)
    {
        Common(0x16, 2, (ulong)queue);
        _board.Store(_structures[2] + ((Common(0x1E, 2) & 0xFFFF) * _multiplier), 2, (ulong)queue);
    }
}
