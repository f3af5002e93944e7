using Myna.Devices.Input;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Input;

/// <summary>IBM PS/2 Hardware Interface Technical Reference: keyboard controller, keyboard, mouse.</summary>
public sealed class I8042Tests
{
    private readonly Levels _levels = new();
    private readonly Support.Power _power = new();
    private readonly I8042 _controller;

    public I8042Tests() => _controller = new I8042(_levels.Line(1), _levels.Line(12), _power, _levels.Line(20));

    private int Status => _controller.Command.In();

    private void Command(int command) => _controller.Command.Out(0, command);
    private void Data(int data) => _controller.Data.Out(0, data);

    private void CommandByte(int value)
    {
        Command(0x60);
        Data(value);
    }

    /// <summary>What can be read now, in hexadecimal; bytes of the mouse with an m.</summary>
    private string Read()
    {
        string shown = "";
        while ((Status & 1) != 0)
            shown += $"{((Status & 0x20) != 0 ? "m" : "")}{_controller.Data.In():x2} ";
        return shown.TrimEnd();
    }

    private string Keyboard(params int[] bytes)
    {
        foreach (int b in bytes)
            Data(b);
        return Read();
    }

    private string Mouse(params int[] bytes)
    {
        foreach (int b in bytes)
        {
            Command(0xd4);
            Data(b);
        }
        return Read();
    }

    [Fact]
    public void Tests_and_the_command_byte()
    {
        Assert.Equal(0x14, Status);
        Command(0xaa);
        Assert.Equal(0x1d, Status);
        Assert.Equal("55", Read());
        Command(0xab);
        Assert.Equal("00", Read());
        Command(0xa9);
        Assert.Equal("00", Read());
        CommandByte(0xff);
        Command(0x20);
        Assert.Equal("77", Read());
        Command(0xa8);
        Command(0xae);
        Command(0x20);
        Assert.Equal("47", Read());
        Command(0xa7);
        Command(0xad);
        Command(0x20);
        Assert.Equal("77", Read());
        Command(0x65);
        Data(0x42);
        Command(0x25);
        Assert.Equal("42", Read());
    }

    [Fact]
    public void Output_port_with_A20_and_reset()
    {
        Assert.True(_levels[20]);
        Command(0xd0);
        Assert.Equal("cf", Read());
        Command(0xd1);
        Data(0xdd);
        Assert.False(_levels[20]);
        Command(0xd1);
        Data(0xdf);
        Assert.True(_levels[20]);
        Assert.Equal(0, _power.Resets);
        Command(0xff);
        Assert.Equal(0, _power.Resets);
        Command(0xfe);
        Assert.Equal(1, _power.Resets);
        Command(0xd1);
        Data(0xde);
        Assert.Equal(2, _power.Resets);
        var controller = new I8042(default, default, _power, default, _levels.Line(30));
        controller.Command.Out(0, 0xfe);
        Assert.Equal(2, _power.Resets);
    }

    [Fact]
    public void Interrupts_follow_the_output_buffer()
    {
        CommandByte(0x03);
        Data(0xee);
        Assert.True(_levels[1]);
        Assert.False(_levels[12]);
        _controller.Data.In();
        Assert.False(_levels[1]);
        Command(0xd4);
        Data(0xf4);
        Assert.Equal((false, true), (_levels[1], _levels[12]));
        CommandByte(0x01);
        Assert.False(_levels[12]);
        Assert.Equal("mfa", Read());
        Command(0xd2);
        Data(0x5a);
        Assert.True(_levels[1]);
        Assert.Equal("5a", Read());
        Command(0xd3);
        Data(0xa5);
        Assert.Equal("ma5", Read());
    }

    [Fact]
    public void A_disabled_interface_keeps_its_bytes()
    {
        Command(0xad);
        _controller.Key(0x1e, true);
        Assert.Equal("", Read());
        Command(0xae);
        Assert.Equal("1e", Read());
    }

    [Fact]
    public void Scan_codes_of_the_three_sets()
    {
        void Type()
        {
            foreach (int key in new[] { 0x1e, 0xe048, 0x41, 0x3b, 0x58 })
            {
                _controller.Key(key, true);
                _controller.Key(key, false);
            }
        }

        Type();
        Assert.Equal("1e 9e e0 48 e0 c8 41 c1 3b bb 58 d8", Read());
        CommandByte(0x05);
        Type();
        Assert.Equal("1c f0 1c e0 75 e0 f0 75 83 f0 83 05 f0 05 07 f0 07", Read());
        Assert.Equal("fa fa", Keyboard(0xf0, 1));
        Type();
        Assert.Equal("1e 9e e0 48 e0 c8 41 c1 3b bb 58 d8", Read());
        Assert.Equal("fa fa", Keyboard(0xf0, 3));
        Type();
        Assert.Equal("1c f0 1c 63 f0 63 37 f0 37 07 f0 07 5e f0 5e", Read());
        Assert.Equal("fa fa 03", Keyboard(0xf0, 0));
    }

    [Fact]
    public void Pause_and_print_screen()
    {
        _controller.Key(0xe046, true);
        _controller.Key(0xe046, false);
        Assert.Equal("e1 1d 45 e1 9d c5", Read());
        _controller.Key(0xe037, true);
        _controller.Key(0xe037, false);
        Assert.Equal("e0 2a e0 37 e0 b7 e0 aa", Read());
    }

    [Fact]
    public void Keyboard_commands()
    {
        CommandByte(0x05);
        Assert.Equal("fa aa", Keyboard(0xff));
        Assert.Equal("fa ab 83", Keyboard(0xf2));
        Assert.Equal("ee", Keyboard(0xee));
        Assert.Equal("fa fa", Keyboard(0xed, 5));
        Assert.Equal(5, _controller.Leds);
        Assert.Equal("fa fa", Keyboard(0xf3, 0));
        Assert.Equal("fe", Keyboard(0x01));
        Assert.Equal("fa", Keyboard(0xf5));
        _controller.Key(0x1e, true);
        Assert.Equal("", Read());
        Assert.Equal("fa", Keyboard(0xf4));
        _controller.Key(0x1e, true);
        Assert.Equal("1c", Read());
        Assert.Equal("1c", Keyboard(0xfe));
        // A command instead of a parameter.
        Assert.Equal("fa fa ab 83", Keyboard(0xed, 0xf2));
        // Translated, the identification is that of an AT keyboard behind this controller.
        CommandByte(0x45);
        Assert.Equal("fa ab 41", Keyboard(0xf2));
    }

    [Fact]
    public void Mouse_packets()
    {
        Assert.Equal("mfa maa m00", Mouse(0xff));
        _controller.MoveMouse(1, 1, 0, 0);
        Assert.Equal("mfa m00 m02 m64", Mouse(0xe9));
        Assert.Equal("", Read());
        Assert.Equal("mfa", Mouse(0xf4));
        _controller.MoveMouse(-3, 5, 0, 1);
        Assert.Equal("m19 mfd m05", Read());
        _controller.MoveMouse(300, 0, 0, 0);
        Assert.Equal("m08 mff m00 m08 m2d m00", Read());
        Assert.Equal("mfa m20 m02 m64", Mouse(0xe9));
        Assert.Equal("mfa mfa", Mouse(0xe8, 3));
        Assert.Equal("mfa", Mouse(0xe7));
        Assert.Equal("mfa m30 m03 m64", Mouse(0xe9));
        Assert.Equal("mfe", Mouse(0x01));
    }

    [Fact]
    public void A_wheel_and_five_buttons_after_the_knocks()
    {
        Assert.Equal("mfa m00", Mouse(0xf2));
        Mouse(0xf3, 200, 0xf3, 100, 0xf3, 80);
        Assert.Equal("mfa m03", Mouse(0xf2));
        Mouse(0xf4);
        _controller.MoveMouse(0, 0, -1, 0);
        Assert.Equal("m08 m00 m00 mff", Read());
        Mouse(0xf3, 200, 0xf3, 200, 0xf3, 80);
        Assert.Equal("mfa m04", Mouse(0xf2));
        _controller.MoveMouse(0, 0, 1, 0x18);
        Assert.Equal("m08 m00 m00 m31", Read());
    }

    [Fact]
    public void Remote_and_wrap_mode()
    {
        Mouse(0xf4, 0xf0);
        _controller.MoveMouse(2, 0, 0, 2);
        Assert.Equal("", Read());
        Assert.Equal("mfa m0a m02 m00", Mouse(0xeb));
        Mouse(0xee);
        Assert.Equal("m12 mf2", Mouse(0x12, 0xf2));
        Assert.Equal("mfa", Mouse(0xec));
        Assert.Equal("mfa m00", Mouse(0xf2));
    }

    [Fact]
    public void A_host_that_does_not_read_loses_whole_keys_only()
    {
        CommandByte(0x04);
        for (int i = 0; i < 100; i++)
            _controller.Key(0xe048, i % 2 == 0);
        string read = Read();
        Assert.StartsWith("e0 75 e0 f0 75 e0 75", read);
        Assert.EndsWith("75", read);
    }
}
