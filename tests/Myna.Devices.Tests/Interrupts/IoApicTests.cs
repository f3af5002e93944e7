using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>Intel 82093AA datasheet (order 290566).</summary>
public sealed class IoApicTests
{
    private const uint Level = 1 << 15, RemoteIrr = 1 << 14, Mask = 1 << 16, Logical = 1 << 11;
    private const int Pin = 14;
    private readonly ApicRig _rig = new();

    private uint Entry => _rig.IoRead(0x10 + Pin * 2);

    private void Line(bool level, int pin = Pin) => _rig.IoApic.SetLevel(pin, level);

    [Fact]
    public void Identity_registers()
    {
        Assert.Equal(0x0017_0020u, _rig.IoRead(1));
        _rig.IoWrite(1, 0);
        Assert.Equal(0x0017_0020u, _rig.IoRead(1));
        _rig.IoWrite(0, uint.MaxValue);
        Assert.Equal((0x0f00_0000u, 0x0f00_0000u), (_rig.IoRead(0), _rig.IoRead(2)));
        _rig.IoWrite(2, 0);
        Assert.Equal(0x0f00_0000u, _rig.IoRead(2));
        Assert.Equal(Mask, Entry);
        Assert.Equal(0u, _rig.IoRead(0x40));
    }

    [Fact]
    public void Status_bits_of_an_entry_are_read_only()
    {
        _rig.Redirect(Pin, 0x1_ffff, uint.MaxValue);
        Assert.Equal(0x1_afffu, Entry);
        Assert.Equal(0xff00_0000u, _rig.IoRead(0x11 + Pin * 2));
    }

    [Fact]
    public void An_edge_is_one_message_and_lost_while_masked()
    {
        _rig.Redirect(Pin, 0x76);
        Line(true);
        Line(true);
        Assert.Equal(0x76, _rig.Serve(0));
        Assert.False(_rig.Cores[0].Intr);
        Line(false);
        _rig.Redirect(Pin, 0x76 | Mask);
        Line(true);
        Line(false);
        _rig.Redirect(Pin, 0x76);
        Assert.False(_rig.Cores[0].Intr);
        Line(true);
        Assert.Equal(0x76, _rig.Serve(0));
        Assert.False(_rig.Bit(0, ApicRig.Tmr, 0x76));
    }

    [Fact]
    public void A_level_comes_again_after_EOI_while_it_lasts()
    {
        _rig.Redirect(Pin, 0x77 | Level);
        Line(true);
        Assert.Equal(0x77 | Level | RemoteIrr, Entry);
        Assert.True(_rig.Bit(0, ApicRig.Tmr, 0x77));
        Assert.Equal(0x77, _rig.Take(0));
        Line(false);
        Line(true);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Set(0, ApicRig.Eoi, 0);
        Assert.Equal(0x77, _rig.Take(0));
        Line(false);
        _rig.Set(0, ApicRig.Eoi, 0);
        Assert.Equal(0x77 | Level, Entry);
        Assert.False(_rig.Cores[0].Intr);
    }

    [Fact]
    public void A_masked_level_waits()
    {
        _rig.Redirect(Pin, 0x82 | Level | Mask);
        Line(true);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Redirect(Pin, 0x82 | Level);
        Assert.Equal(0x82, _rig.Take(0));
    }

    [Fact]
    public void A_level_masked_by_its_handler_comes_again_when_unmasked()
    {
        _rig.Redirect(Pin, 0x83 | Level);
        Line(true);
        Assert.Equal(0x83, _rig.Take(0));
        _rig.Redirect(Pin, 0x83 | Level | Mask);
        _rig.Set(0, ApicRig.Eoi, 0);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Redirect(Pin, 0x83 | Level);
        Assert.Equal(0x83, _rig.Take(0));
    }

    [Fact]
    public void The_EOI_register_ends_a_level_without_the_CPUs_message()
    {
        _rig.Set(0, ApicRig.Svr, 0x11ff);
        _rig.Redirect(Pin, 0x90 | Level);
        Line(true);
        Assert.Equal(0x90, _rig.Take(0));
        Line(false);
        _rig.Set(0, ApicRig.Eoi, 0);
        Assert.NotEqual(0u, Entry & RemoteIrr);
        _rig.IoApic.Store(0x40, 0x90);
        Assert.Equal(0u, Entry & RemoteIrr);
    }

    [Fact]
    public void A_new_destination_does_not_hinder_the_EOI_of_the_old_one()
    {
        _rig.Redirect(Pin, 0x64 | Level);
        Line(true);
        Assert.Equal(0x64, _rig.Take(0));
        Line(false);
        _rig.IoWrite(0x11 + Pin * 2, 1 << 24);
        Assert.NotEqual(0u, Entry & RemoteIrr);
        _rig.Set(0, ApicRig.Eoi, 0);
        Assert.Equal(0u, Entry & RemoteIrr);
        Line(true);
        Assert.Equal((-1, 0x64), (_rig.Take(0), _rig.Take(1)));
    }

    [Fact]
    public void Switching_to_edge_clears_remote_IRR()
    {
        _rig.Redirect(Pin, 0x64 | Level);
        Line(true);
        _rig.IoWrite(0x10 + Pin * 2, 0x64 | Mask);
        _rig.IoWrite(0x10 + Pin * 2, 0x64 | Level | Mask);
        Assert.Equal(0u, Entry & RemoteIrr);
    }

    [Fact]
    public void Destinations_and_delivery_modes()
    {
        _rig.Redirect(Pin, 0x85, 1 << 24);
        Line(true);
        Assert.Equal((-1, 0x85), (_rig.Serve(0), _rig.Serve(1)));
        Line(false);
        _rig.Redirect(Pin, 0x86, 0xff00_0000);
        Line(true);
        Assert.Equal((0x86, 0x86), (_rig.Serve(0), _rig.Serve(1)));
        Line(false);
        _rig.Set(0, ApicRig.Ldr, 1 << 24);
        _rig.Set(1, ApicRig.Ldr, 2 << 24);
        _rig.Redirect(Pin, 0x87 | Logical, 2 << 24);
        Line(true);
        Assert.Equal((-1, 0x87), (_rig.Serve(0), _rig.Serve(1)));
        Line(false);
        _rig.Redirect(Pin, 4 << 8, 1 << 24);
        Line(true);
        Assert.Equal((0, 1), (_rig.Cores[0].Nmis, _rig.Cores[1].Nmis));
    }

    [Fact]
    public void A_level_that_nobody_accepts_is_not_remembered_as_delivered()
    {
        _rig.Redirect(Pin, 0x88 | Level, 9 << 24);
        Line(true);
        Assert.Equal(0u, Entry & RemoteIrr);
        _rig.IoWrite(0x11 + Pin * 2, 0);
        Assert.Equal(0x88, _rig.Take(0));
    }

    [Fact]
    public void ExtINT_asks_the_8259_pair_for_the_vector()
    {
        _rig.Set(0, ApicRig.Lint0, 1 << 16);
        _rig.Pic.Master.Out(0, 0x11);
        foreach (int word in new[] { 0x30, 4, 1 })
            _rig.Pic.Master.Out(1, word);
        _rig.Pic.SetLevel(1, true);
        Assert.False(_rig.Cores[0].Intr);
        _rig.Redirect(0, 7 << 8);
        Line(true, 0);
        Assert.Equal(0x31, _rig.Take(0));
        Assert.False(_rig.Cores[0].Intr);
    }

    [Fact]
    public void IRQ_0_is_pin_2_and_IRQs_reach_both_controllers()
    {
        _rig.Set(0, ApicRig.Lint0, 1 << 16);
        _rig.Redirect(2, 0x40);
        _rig.Redirect(4, 0x44);
        _rig.Router.Line(0).Set(true);
        Assert.Equal(0x40, _rig.Serve(0));
        _rig.Router.Line(4).Set(true);
        _rig.Pic.Master.Out(0, 0x0a);
        Assert.Equal(0x11, _rig.Pic.Master.In(0));
    }

    [Fact]
    public void A_shared_wire_is_high_while_any_source_is()
    {
        var levels = new Levels();
        var or = new WiredOr(levels.Line(3));
        var (a, b) = (or.Add(), or.Add());
        a.Set(true);
        b.Set(true);
        a.Set(false);
        Assert.True(levels[3]);
        b.Set(false);
        Assert.False(levels[3]);
    }
}
