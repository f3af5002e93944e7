Console.WriteLine("myna 0.1.0");
