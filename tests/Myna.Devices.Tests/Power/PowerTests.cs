using Myna.Devices.Power;
using Myna.Devices.Serial;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Power;

public sealed class SifiveTestTests
{
    private readonly Support.Power _power = new();
    private readonly SifiveTest _test;

    public SifiveTestTests() => _test = new SifiveTest(_power);

    [Theory]
    [InlineData(0x5555u, 0)]
    [InlineData(0x2a_3333u, 42)]
    [InlineData(0xffff_3333u, 0xffff)]
    public void Pass_and_fail_end_the_machine_with_a_status(uint value, int status)
    {
        _test.Store(0, value);
        Assert.Equal(status, _power.Status);
    }

    [Fact]
    public void Reset_resets_and_other_values_do_nothing()
    {
        _test.Store(0, 0x7777);
        _test.Store(0, 0x1234);
        _test.Store(4, 0x5555);
        Assert.Equal((1, null), (_power.Resets, _power.Status));
        Assert.Equal(0u, _test.Load(0));
    }
}

public sealed class HtifTests : IDisposable
{
    private const ulong ToHost = 0x40, FromHost = 0x80;
    private readonly Support.Power _power = new();
    private readonly Ram _ram = new("ram", 0x4000);
    private readonly AddressSpace _memory = new();
    private readonly Terminal _terminal = new();
    private readonly Uart16550 _uart;
    private readonly Htif _htif;

    public HtifTests()
    {
        _uart = new Uart16550(new ManualClock(), 3_686_400, default, _terminal);
        _htif = new Htif(_memory, _ram, 0x1000, ToHost, FromHost, _power, _uart);
        _memory.Map(0x8000_0000, _ram, 0, 0x1000);
        _memory.Map(0x8000_1000, 0x1000, "htif", _htif);
        _memory.Map(0x8000_2000, _ram, 0x2000, 0x2000);
    }

    public void Dispose() => _ram.Dispose();

    [Theory]
    [InlineData(1ul, 0)]
    [InlineData(1337ul << 1 | 1, 1337)]
    public void An_odd_value_ends_the_program(ulong value, int status)
    {
        _htif.Store(ToHost, value, 8);
        Assert.Equal(status, _power.Status);
    }

    [Fact]
    public void A_32_bit_exit_needs_its_low_half_only()
    {
        _htif.Store(ToHost, 7);
        Assert.Equal(3, _power.Status);
    }

    [Fact]
    public void A_32_bit_putchar_is_whole_with_its_high_half()
    {
        _htif.Store(ToHost + 4, 0);
        _htif.Store(ToHost, 'B');
        Assert.Null(_power.Status);
        _htif.Store(ToHost + 4, 0x0101_0000);
        _uart.Flush();
        Assert.Equal("B", _terminal.Text);
    }

    [Fact]
    public void The_rest_of_the_page_is_ram()
    {
        _htif.Store(0x100, 0x1122_3344_5566_7788, 8);
        Assert.Equal(0x1122u, _htif.Load(0x106, 2));
        Assert.Equal(0x88u, _ram.Get(0x1100, 1)[0]);
    }

    [Fact]
    public void Console_output_is_acknowledged()
    {
        foreach (char c in "hi")
        {
            _htif.Store(ToHost, 0x0101_0000_0000_0000 | (ulong)c, 8);
            Assert.Equal(0u, _htif.Load(ToHost, 8));
            Assert.Equal(0x0101_0000_0000_0000u, _htif.Load(FromHost, 8));
            _htif.Store(FromHost, 0, 8);
        }
        _uart.Flush();
        Assert.Equal("hi", _terminal.Text);
    }

    [Fact]
    public void A_character_is_delivered_when_it_comes()
    {
        _htif.Store(ToHost, 0x0100_0000_0000_0000, 8);
        Assert.Equal(0u, _htif.Load(FromHost, 8));
        _terminal.Type("k");
        Assert.Equal(0x0100_0000_0000_0100u | 'k', _htif.Load(FromHost, 8));
    }

    [Fact]
    public void A_proxied_write_reaches_the_console_and_returns_its_length()
    {
        "proxied"u8.CopyTo(_ram.GetForWrite(0x2100, 7));
        ulong[] block = [64, 1, 0x8000_2100, 7, 0, 0, 0, 0];
        for (int i = 0; i < 8; i++)
            Assert.True(_memory.Store(0x8000_2000 + (ulong)i * 8, 8, block[i]));
        _htif.Store(ToHost, 0x8000_2000, 8);
        _uart.Flush();
        Assert.Equal("proxied", _terminal.Text);
        Assert.True(_memory.Load(0x8000_2000, 8, out ulong result));
        Assert.Equal((7ul, 1ul), (result, _htif.Load(FromHost, 8)));
    }

    [Fact]
    public void A_call_with_a_bad_buffer_or_number_returns_an_error()
    {
        ulong[] block = [64, 1, 0x1234_5678, 7, 0, 0, 0, 0];
        for (int i = 0; i < 8; i++)
            Assert.True(_memory.Store(0x8000_2000 + (ulong)i * 8, 8, block[i]));
        _htif.Store(ToHost, 0x8000_2000, 8);
        Assert.True(_memory.Load(0x8000_2000, 8, out ulong result));
        Assert.Equal(-14, (long)result);
        _htif.Store(ToHost, 0x8000_2000, 8);
        Assert.True(_memory.Load(0x8000_2000, 8, out result));
        Assert.Equal(-38, (long)result);
        _htif.Store(ToHost, 0x6666_0000, 8);
        Assert.Empty(_terminal.Output);
    }
}
