using System.Buffers.Binary;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Power;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.FirmwareConfig;

/// <summary>QEMU documentation, specs/vmgenid.</summary>
public sealed class VmGenIdTests : IDisposable
{
    private const string First = "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87";

    private readonly Ram _ram = new("ram", 1 << 20);
    private readonly AddressSpace _memory = new();
    private readonly Levels _lines = new();
    private readonly AcpiPm _pm;
    private readonly VmGenId _device;
    private Guid _next = new(First);

    public VmGenIdTests()
    {
        _memory.Map(0, _ram);
        _pm = new AcpiPm(new ManualClock(), _lines.Line(0), new Support.Power());
        _device = new VmGenId(_memory, _pm, () => _next);
    }

    public void Dispose() => _ram.Dispose();

    private Guid InMemory(ulong page)
    {
        byte[] bytes = new byte[16];
        Assert.True(_memory.Read(page + 40, bytes));
        return new Guid(bytes);
    }

    private void Reload()
    {
        var writer = new StateWriter();
        writer.WriteSection(_device);
        _next = new("00112233-4455-6677-8899-aabbccddeeff");
        new StateReader(writer.ToArray()).ReadSection(_device);
    }

    [Fact]
    public void The_identifier_lies_at_offset_40_of_a_page_of_zeroes_in_Windows_byte_order()
    {
        Assert.Equal(4096, _device.Page.Length);
        Assert.Equal("AF6E4E32D1D1F64BBF41B9BB6C91FB87", Convert.ToHexString(_device.Page, 40, 16));
        Assert.All(_device.Page[..40].Concat(_device.Page[56..]), b => Assert.Equal(0, b));
    }

    [Fact]
    public void A_loaded_state_brings_a_new_identifier_and_event_5()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_device.Address, 0x3000);
        Assert.True(_memory.Write(0x3000, _device.Page));
        _pm.Store(AcpiPm.GPE0_EN, 1 << 5, 1);
        Assert.False(_lines[0]);
        Reload();
        Assert.Equal(_next, InMemory(0x3000));
        Assert.Equal(_next, _device.Id);
        Assert.Equal(1ul << 5, _pm.Load(AcpiPm.GPE0_STS, 1));
        Assert.True(_lines[0]);
    }

    [Fact]
    public void Before_firmware_has_placed_the_page_nothing_is_written()
    {
        Reload();
        Assert.Equal(0ul, _pm.Load(AcpiPm.GPE0_STS, 1));
        Assert.Equal(Guid.Empty, InMemory(0));
        Assert.Equal(_next, _device.Id);
    }

    [Fact]
    public void A_reset_keeps_the_identifier_and_forgets_the_place()
    {
        _device.Place(0x5000);
        Assert.Equal(new Guid(First), InMemory(0x5000));
        _device.Reset();
        Assert.Equal(new Guid(First), _device.Id);
        Assert.Equal(0ul, BinaryPrimitives.ReadUInt64LittleEndian(_device.Address));
    }

    [Fact]
    public void A_place_outside_RAM_does_no_harm()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_device.Address, ulong.MaxValue - 8);
        Reload();
        Assert.Equal(_next, _device.Id);
    }
}
