using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>RISC-V ACLINT specification 1.0, section 3.</summary>
public sealed class MswiTests
{
    private readonly Levels _harts = new();
    private readonly Mswi _mswi;

    public MswiTests() => _mswi = new Mswi([_harts.Line(0), _harts.Line(1)]);

    [Fact]
    public void Bit_0_is_the_harts_software_interrupt_and_the_rest_reads_as_zero()
    {
        _mswi.Store(4, uint.MaxValue);
        Assert.Equal((false, true), (_harts[0], _harts[1]));
        Assert.Equal(1u, _mswi.Load(4));
        _mswi.Store(4, 2);
        Assert.False(_harts[1]);
    }

    [Fact]
    public void Registers_of_harts_that_do_not_exist_are_zero()
    {
        _mswi.Store(8, 1);
        Assert.Equal(0u, _mswi.Load(8));
        Assert.Equal(0u, _mswi.Load(0x3ffc));
    }

    [Fact]
    public void Reset_lowers_the_interrupts()
    {
        _mswi.Store(0, 1);
        _mswi.Reset();
        Assert.False(_harts[0]);
    }
}
