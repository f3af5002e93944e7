using System.Buffers.Binary;
using System.Text;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.FirmwareConfig;

/// <summary>QEMU documentation, specs/fw_cfg.</summary>
public sealed class FwCfgTests : IDisposable
{
    private const ulong Base = 0x8000_0000;
    private readonly Ram _ram = new("ram", 0x4000);
    private readonly AddressSpace _memory = new();
    private readonly FwCfg _device;

    public FwCfgTests()
    {
        _memory.Map(Base, _ram);
        _device = new FwCfg(_memory, new Dictionary<string, byte[]> { ["opt/b"] = "second"u8.ToArray(), ["opt/a"] = [1, 2, 3, 4, 5, 6, 7, 8, 9] }, 3, 1 << 30);
    }

    public void Dispose() => _ram.Dispose();

    private void Select(ushort key) => _device.Store(8, BinaryPrimitives.ReverseEndianness(key), 2);

    private byte[] Take(int count) => [.. Enumerable.Range(0, count).Select(_ => (byte)_device.Load(0, 1))];

    private uint Dma(uint control, uint length, ulong address)
    {
        Span<byte> access = _ram.GetForWrite(0x100, 16);
        BinaryPrimitives.WriteUInt32BigEndian(access, control);
        BinaryPrimitives.WriteUInt32BigEndian(access[4..], length);
        BinaryPrimitives.WriteUInt64BigEndian(access[8..], address);
        _device.Store(16, BinaryPrimitives.ReverseEndianness(Base + 0x100), 8);
        return BinaryPrimitives.ReadUInt32BigEndian(_ram.Get(0x100, 4));
    }

    [Fact]
    public void Signature_and_features_identify_the_device()
    {
        Select(FwCfg.SIGNATURE);
        Assert.Equal("QEMU", Encoding.ASCII.GetString(Take(4)));
        Select(FwCfg.ID);
        Assert.Equal<byte>([3, 0, 0, 0], Take(4));
        Assert.Equal("QEMU CFG", Encoding.ASCII.GetString(BitConverter.GetBytes(_device.Load(16, 8))));
        Assert.Equal("QEMU", Encoding.ASCII.GetString(BitConverter.GetBytes((uint)_device.Load(16))));
    }

    [Fact]
    public void The_directory_lists_the_files_and_they_read_back()
    {
        Select(FwCfg.FILE_DIR);
        byte[] directory = Take(4 + 2 * 64);
        Assert.Equal(2u, BinaryPrimitives.ReadUInt32BigEndian(directory));
        ushort Key(int i) => BinaryPrimitives.ReadUInt16BigEndian(directory.AsSpan(4 + 64 * i + 4));
        string Name(int i) => Encoding.ASCII.GetString(directory, 4 + 64 * i + 8, 56).TrimEnd('\0');
        Assert.Equal(("opt/a", "opt/b"), (Name(0), Name(1)));
        Assert.Equal(9u, BinaryPrimitives.ReadUInt32BigEndian(directory.AsSpan(4)));
        Select(Key(1));
        Assert.Equal("second\0\0", Encoding.ASCII.GetString(Take(8)));
        Select(Key(0));
        Assert.Equal(0x0807_0605_0403_0201u, _device.Load(0, 8));
    }

    [Fact]
    public void Dma_selects_skips_reads_and_fills_up_with_zeroes()
    {
        _ram.GetForWrite(0x200, 32).Fill(0xee);
        Assert.Equal(0u, Dma((uint)FwCfg.FILE_FIRST << 16 | 8 | 4, 2, 0));
        Assert.Equal(0u, Dma(2, 10, Base + 0x200));
        Assert.Equal<byte>([3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0xee], _ram.Get(0x200, 11).ToArray());
    }

    [Fact]
    public void Dma_can_be_started_in_halves()
    {
        Span<byte> access = _ram.GetForWrite(0x100, 16);
        access.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(access, 8 | 2);
        BinaryPrimitives.WriteUInt32BigEndian(access[4..], 4);
        BinaryPrimitives.WriteUInt64BigEndian(access[8..], Base + 0x300);
        _device.Store(16, 0);
        _device.Store(20, BinaryPrimitives.ReverseEndianness((uint)(Base + 0x100)));
        Assert.Equal("QEMU", Encoding.ASCII.GetString(_ram.Get(0x300, 4)));
    }

    [Fact]
    public void Dma_outside_ram_or_to_write_an_item_is_an_error_value()
    {
        Assert.Equal(1u, Dma((uint)FwCfg.FILE_FIRST << 16 | 8 | 2, 9, 0x1000));
        Assert.Equal(1u, Dma((uint)FwCfg.FILE_FIRST << 16 | 8 | 16, 4, Base));
        Assert.Equal(1u, Dma((uint)FwCfg.FILE_FIRST << 16 | 8 | 2, uint.MaxValue, Base + 0x1000));
        _device.Store(16, ulong.MaxValue, 8); // a structure that is not there
    }

    [Fact]
    public void An_unknown_item_is_empty()
    {
        Select(0x7777);
        Assert.Equal<byte>([0, 0], Take(2));
    }
}
